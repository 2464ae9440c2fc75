"""Users of a house: calls made with their identities, bound by their roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.call import Call
from parlour.operations.caller import Caller
from parlour.resources.table import operations
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SDK, Origin
from tests.events.house import ACCOUNT_SID

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.events.house import Form, House

KEY_SID = "SK" + "0" * 31 + "1"

_BY_ID = {operation.operation_id: operation for operation in operations()}


async def run_as(
    house: House, identity: str, operation_id: str, form: Form | None = None, **path: str
) -> Any:
    """What an operation of the service form gives a user."""
    call: Call[Any] = Call(
        operation=_BY_ID[operation_id],
        caller=Caller(ACCOUNT_SID, KEY_SID, identity),
        path={"ChatServiceSid": house.scope.service_sid, **path},
        resource=f"/{operation_id}",
        form={
            name: [value] if isinstance(value, str) else value
            for name, value in (form or {}).items()
        },
        origin=Origin(SDK, identity, fires=True),
    )
    return (await house.app.pipeline.run(call, lambda *_: b"")).result


async def refusal(asked: Awaitable[object]) -> tuple[int, int]:
    """The status and the code with which a call is refused."""
    with pytest.raises(ApiError) as caught:
        await asked
    return caught.value.status, caught.value.code
