"""The action that describes operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations.operation import BodyKind
from parlour.resources.openapi.description import describe
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.server_parts import ServerParts
    from parlour.resources.openapi.parameters import FetchOpenApi


async def fetch_open_api(parts: ServerParts, call: Call[FetchOpenApi]) -> dict[str, Any]:
    """Return the description of some operations of this server, or of all with JSON responses.

    Raises 20001 for an unknown operation.
    """
    every = [
        each for each in parts.description.operations if each.spec.response_body is BodyKind.JSON
    ]
    names = call.parameters.given().get("operations")
    if names is None:
        return describe(every)
    known = {each.operation_id for each in every}
    for name in names:
        if name not in known:
            raise ApiError(20001, f"Invalid Operation: there is no operation {name}.")
    return describe(each for each in every if each.operation_id in names)
