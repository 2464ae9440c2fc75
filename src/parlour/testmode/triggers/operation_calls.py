"""Runs operations of the API for a trigger, as the calling account."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from parlour.operations.call import Call
from parlour.resources.table import pipeline_operations
from parlour.vocabulary.origin import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from parlour.operations.call import OperationResult
    from parlour.operations.caller import Caller
    from parlour.operations.operation import Operation
    from parlour.operations.pipeline import Pipeline
    from parlour.vocabulary.origin import Origin

_VARIABLE: Final = re.compile(r"\{(\w+)\}")


@cache
def _operation(operation_id: str, *, in_service: bool) -> Operation:
    """Return an operation by its id in the short URL form, in the form of a service if asked."""
    verb = re.match(r"[A-Z][a-z]+", operation_id)
    assert verb is not None
    if in_service:
        operation_id = f"{verb.group()}Service{operation_id[verb.end() :]}"
    return next(each for each in pipeline_operations() if each.operation_id == operation_id)


class OperationCalls:
    """Runs operations in one service: the named one, or the default service of the account."""

    def __init__(self, pipeline: Pipeline, caller: Caller, service_sid: str | None) -> None:
        self._pipeline = pipeline
        self._caller = caller
        self._service_sid = service_sid

    def operation(self, operation_id: str) -> Operation:
        """Return the operation with this id in the short URL form, as it is run."""
        return _operation(operation_id, in_service=self._service_sid is not None)

    async def run(
        self,
        operation_id: str,
        path: Mapping[str, str],
        form: Mapping[str, list[str]] | None = None,
        origin: Origin = SILENT,
    ) -> Any:
        """Return the result of an operation, named by its id in the short URL form.

        ``path`` has the variables of its path, without the service. Raises ApiError.
        """
        operation = self.operation(operation_id)
        variables = dict(path)
        if self._service_sid is not None:
            variables["ChatServiceSid"] = self._service_sid
        call: Call[Any] = Call(
            operation=operation,
            caller=self._caller,
            path=variables,
            resource=_VARIABLE.sub(
                lambda found: variables[found[1]], operation.path.removeprefix("/v1")
            ),
            form=dict(form or {}),
            origin=origin,
        )
        return (await self._pipeline.run(call, _no_stored_response)).result


def _no_stored_response(_call: Call[Any], _result: OperationResult) -> bytes:
    """Store no response: these calls have no idempotency keys."""
    return b""
