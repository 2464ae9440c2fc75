"""Routing of method and path to operations, by the framework's compiled router.

Only the router and the multipart parser of the framework are used: its request and response
objects cost a third of the time of a request (docs/decisions/0012-a-thin-http-edge.md).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from falcon.routing import CompiledRouter

from parlour.http.authentication import wrong_login
from parlour.http.edge import Edge
from parlour.http.front_page import accepts_html
from parlour.http.messages import Response
from parlour.http.testmode_paths import TEST_FUNCTIONS_OFF, is_test_path
from parlour.protocol.forms import decode_path_segment
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.http.endpoint_routes import EndpointRoutes
    from parlour.http.messages import Request, RequestHook
    from parlour.http.metrics import MetricsPage
    from parlour.operations.caller import Caller
    from parlour.operations.operation import Operation

# Printable ASCII without an escape: needs no decoding.
_UNESCAPED: Final = re.compile(r"[!-$&-~]+\Z")
_METHODS = ("GET", "POST", "DELETE")
_PLAIN = ((b"content-type", b"text/plain; version=0.0.4; charset=utf-8"),)


def template(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the framework's template of a path, and the names of its variables in order.

    The framework needs one name per variable of a segment, and the API has several (``Sid`` and
    ``ConversationSid``), so variables are numbered.
    """
    names: list[str] = []
    parts = []
    for part in path.split("/"):
        if part.startswith("{"):
            name, _, suffix = part[1:].partition("}")
            parts.append("{v" + str(len(names)) + "}" + suffix)
            names.append(name)
        else:
            parts.append(part)
    return "/".join(parts), tuple(names)


class Route:
    """Every operation of one path, by method, with the names of the path's variables."""

    def __init__(self, operations: Iterable[Operation], routes: EndpointRoutes) -> None:
        self.operations = {each.method: (each, template(each.path)[1]) for each in operations}
        if "GET" in self.operations:
            self.operations["HEAD"] = self.operations["GET"]
        self.path = next(iter(self.operations.values()))[0].path
        served = {*self.operations, *routes.methods_of(self.path)}
        self.for_operators = any(each.for_operators for each, _ in self.operations.values())
        self.allow = ", ".join(method for method in _METHODS if method in served)


def _check_kind(caller: Caller, route: Route | None, request: Request) -> None:
    """Refuse an operator outside of the operations for operators, and accounts there.

    Raises 401 as for a wrong login, and 404 as for an unknown path.
    """
    for_operators = route is not None and route.for_operators
    in_console = caller.principal is not None and caller.principal.session_sid != ""
    if not caller.account_sid and not for_operators and not in_console:
        raise wrong_login()
    if for_operators != (not caller.account_sid):
        raise ApiError.not_found(Edge.resource_of(request.path))


class Router:
    """Finds the operation of a request."""

    def __init__(
        self,
        operations: Iterable[Operation],
        routes: EndpointRoutes,
        edge: Edge,
        metrics: MetricsPage,
        front_page: Response,
    ) -> None:
        """``operations`` are those without a dedicated endpoint; ``routes`` lead to the others."""
        self._edge = edge
        self.around: RequestHook | None = None
        """Runs the requests of operations, if it is set: test mode."""
        self._metrics_page = metrics
        self._front_page = front_page
        self._routes = CompiledRouter()
        by_path: dict[str, list[Operation]] = {}
        for operation in operations:
            by_path.setdefault(template(operation.path)[0], []).append(operation)
        for path, found in by_path.items():
            self._routes.add_route(path, Route(found, routes))

    def public_response(self, request: Request) -> Response | None:
        """Return the response of a public path, without data of accounts; None for others."""
        if request.method not in {"GET", "HEAD"}:
            return None
        if request.path == "/healthz":
            return Response(200, b'{"status":"ok"}')
        if request.path == "/" and accepts_html(request.header(b"accept")):
            return self._front_page
        return None

    def template_of(self, path: str) -> str | None:
        """Return the path template of a requested path; None for an unknown one."""
        found = self._find(path)
        return None if found is None else found[0].path

    def body_bytes_max(self, path: str, method: str) -> int:
        """Return the limit of a request's body; unknown paths have the limit of all requests."""
        operation = self.operation_of(path, method)
        return limits.BODY_BYTES_MAX if operation is None else operation.spec.body_bytes_max

    def operation_of(self, path: str, method: str) -> Operation | None:
        """Return the operation of a request; None if there is none."""
        found = self._find(path)
        operation = None if found is None else found[0].operations.get(method)
        return None if operation is None else operation[0]

    def _find(self, path: str) -> tuple[Route, dict[str, str]] | None:
        # The framework's router treats leading slashes as one.
        found = None if path.startswith("//") else self._routes.find(path)
        if found is None:
            return None
        place, _, values, _ = found
        assert isinstance(place, Route)
        return place, values

    async def metrics_response(self, request: Request) -> Response | None:
        """Return the metrics page, for GET and HEAD; it needs no credentials."""
        if request.method not in {"GET", "HEAD"}:
            return None
        return Response(200, await self._metrics_page.text(), _PLAIN)

    async def respond(self, request: Request, caller: Caller) -> Response:
        """Return the response of the operation of path and method. Raises ApiError."""
        found = self._find(request.path)
        _check_kind(caller, None if found is None else found[0], request)
        if found is None:
            if is_test_path(request.path):
                raise ApiError(20404, TEST_FUNCTIONS_OFF)
            raise ApiError.not_found(self._edge.resource_of(request.path))
        place, values = found
        operation, names = place.operations.get(request.method, (None, ()))
        if operation is None:
            raise ApiError(20004, headers={"Allow": place.allow})
        path = dict(zip(names, values.values(), strict=True))
        if not _UNESCAPED.match(request.path):
            for name, raw in path.items():
                text = decode_path_segment(raw)
                if text is None:
                    raise ApiError.not_found(self._edge.resource_of(request.path))
                path[name] = text
        # A fault is for the program under test; the console must not use it up.
        if self.around is not None and request.session is None:
            request.operation_id = operation.operation_id
            run = partial(self._edge.respond, operation, path, request, caller)
            return await self.around(request, operation, caller, run)
        return await self._edge.respond(operation, path, request, caller)
