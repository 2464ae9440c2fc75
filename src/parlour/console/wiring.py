"""The console of one process: it is imported and made at its first request.

Most servers run without anyone opening the console, so it costs a start no imports and no memory.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from parlour.http.console_requests import ConsoleOff

if TYPE_CHECKING:
    from parlour.console.endpoint import ConsoleEndpoint
    from parlour.http.console_requests import GatedOperations
    from parlour.http.endpoint_routes import EndpointMatch, OperationEndpoint
    from parlour.http.messages import Headers, Request, Response
    from parlour.http.wiring import HttpParts


def make_console(
    parts: HttpParts, operations: GatedOperations, headers: Headers
) -> OperationEndpoint:
    """Return the endpoint of the console, in front of these operations."""
    if not parts.settings.console:
        return ConsoleOff(headers)
    return ConsoleOnDemand(parts, operations, headers)


class ConsoleOnDemand:
    """The endpoint of the console, made at its first request."""

    def __init__(self, parts: HttpParts, operations: GatedOperations, headers: Headers) -> None:
        self._parts = parts
        self._operations = operations
        self._headers = headers

    @cached_property
    def endpoint(self) -> ConsoleEndpoint:
        """The endpoint itself."""
        from parlour.console.composition import compose  # noqa: PLC0415 - see the module.

        return compose(self._parts, self._operations, self._headers)

    async def respond(self, request: Request, match: EndpointMatch) -> Response:
        """Return the response of any path. Raises ApiError."""
        return await self.endpoint.respond(request, match)
