"""The console of a process until its first request: most processes never get one.

Importing and making its parts would delay each start, and take memory.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from parlour.http.console_requests import ConsoleOff

if TYPE_CHECKING:
    from collections.abc import Callable

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
    return UnopenedConsole(partial(_make, parts, operations, headers))


def _make(parts: HttpParts, operations: GatedOperations, headers: Headers) -> OperationEndpoint:
    from parlour.console.wiring import make_endpoint  # noqa: PLC0415 - see above.

    return make_endpoint(parts, operations, headers)


class UnopenedConsole:
    """Makes the endpoint of the console at its first request."""

    def __init__(self, make: Callable[[], OperationEndpoint]) -> None:
        self._make = make

    @cached_property
    def endpoint(self) -> OperationEndpoint:
        """The endpoint, made when it is used."""
        return self._make()

    async def respond(self, request: Request, match: EndpointMatch) -> Response:
        """Return the response of the console. Raises ApiError."""
        return await self.endpoint.respond(request, match)
