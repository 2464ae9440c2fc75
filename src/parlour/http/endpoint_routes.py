"""Routes of the operations with a dedicated endpoint (``Operation.has_endpoint``).

The path of every request is looked up here first: a dedicated endpoint decides how a request is
authenticated, and whether its body may be buffered. Paths are matched without decoding.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.http.messages import Request, Response
    from parlour.operations.operation import AuthScheme, Operation

_VARIABLE: Final = re.compile(r"\{(\w+)\}")
_REST_OF_PATH: Final = frozenset({"Signed", "Path"})
"""Variables whose values may contain slashes, or be empty."""


class EndpointRoute(NamedTuple):
    """One path, and its operations by method."""

    pattern: re.Pattern[str]
    path: str
    """The template, for the log: without the signature of a URL."""
    authentication: AuthScheme
    operations: dict[str, Operation]
    is_shared: bool
    """Whether the router serves other methods of the path."""


class EndpointMatch(NamedTuple):
    """The route of a requested path, and the values of its variables, not decoded."""

    route: EndpointRoute
    names: dict[str, str]

    def operation_for(self, request: Request) -> Operation:
        """Return the operation of the request's method. Raises ApiError 405."""
        operation = self.route.operations.get(request.method)
        if operation is None:
            raise ApiError(20004, headers={"Allow": ", ".join(self.route.operations)})
        request.operation_id = operation.operation_id
        return operation


class OperationEndpoint(Protocol):
    """Serves the operations of an authentication scheme, authentication included."""

    async def respond(self, request: Request, match: EndpointMatch) -> Response:
        """Return the response. Raises ApiError."""
        ...


class EndpointRoutes:
    """The routes of a server to its dedicated endpoints."""

    def __init__(
        self, operations: Iterable[Operation], others: tuple[EndpointRoute, ...] = ()
    ) -> None:
        """``operations`` are all operations of the server; ``others`` have none."""
        every = tuple(operations)
        routed = frozenset(each.path for each in every if not each.has_endpoint)
        self._routes = (*_routes((each for each in every if each.has_endpoint), routed), *others)
        self._filter = _filter(self._routes)

    def methods_of(self, path: str) -> tuple[str, ...]:
        """Return the methods of a path template that have a dedicated endpoint."""
        return tuple(
            method for each in self._routes if each.path == path for method in each.operations
        )

    def find(self, path: str, method: str) -> EndpointMatch | None:
        """Return the route of a request; None if the router serves it."""
        if self._filter.match(path) is None:
            return None
        for route in self._routes:
            match = route.pattern.match(path)
            if match is not None and (method in route.operations or not route.is_shared):
                return EndpointMatch(route, match.groupdict())
        return None


def _regex(operation: Operation) -> str:
    """Return the regular expression of a path; some variables take the rest of it."""
    return _VARIABLE.sub(
        lambda match: f"(?P<{match[1]}>{'.*' if match[1] in _REST_OF_PATH else '[^/]+'})",
        operation.path,
    )


def _routes(every: Iterable[Operation], routed: frozenset[str]) -> tuple[EndpointRoute, ...]:
    """Return the routes of operations; ``routed`` are the paths that the router serves."""
    # HEAD is derived from GET, as in the router.
    by_path: dict[str, EndpointRoute] = {}
    for operation in every:
        pattern = re.compile(_regex(operation) + r"\Z")
        path, scheme = operation.path, operation.authentication
        made = EndpointRoute(pattern, path, scheme, {}, path in routed)
        route = by_path.setdefault(operation.path, made)
        assert route.authentication is scheme, path
        route.operations[operation.method] = operation
        if operation.method == "GET":
            route.operations["HEAD"] = operation
    return tuple(by_path.values())


def _filter(routes: tuple[EndpointRoute, ...]) -> re.Pattern[str]:
    """Return one expression that matches the beginning of every routed path.

    It runs on every request, and most do not match: so paths with a shorter prefix in the set are
    left out, and there are no capture groups.
    """
    prefixes: list[str] = []
    for path in sorted((route.path for route in routes), key=len):
        if not any(path.startswith(prefix) for prefix in prefixes):
            prefixes.append(path.removesuffix("{Signed}"))
    return re.compile("|".join(_VARIABLE.sub("[^/]+", prefix) for prefix in prefixes))
