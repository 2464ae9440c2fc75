"""The endpoint of the console: all requests below ``/parlour/console``.

| path                        | method              | response                                     |
|-----------------------------|---------------------|----------------------------------------------|
| ``/session``                | GET, POST, DELETE   | the session: shown, opened, ended            |
| ``/api/{AccountSid}/…``     | all                 | of an operation, through the gate            |
| ``/assets/{hash}/…``        | GET                 | a file of the page                           |
| any other                   | GET                 | the page                                     |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.console.cookies import clear_cookie, set_cookie
from parlour.console.sessions import no_session, principal_of
from parlour.console.sign_ins import read_form
from parlour.http.console_requests import CONSOLE_API, CONSOLE_ROOT, NO_STORE
from parlour.http.messages import JSON, NO_CONTENT, Response, encode, error_response
from parlour.operations.caller import OPERATOR
from parlour.protocol.timestamps import format_date
from parlour.resources.console_sessions.lifecycle import WITH_PROCESS
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError, clear_tracebacks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.console.gate import Gate
    from parlour.console.hosts import ConsoleHosts
    from parlour.console.pages import Pages
    from parlour.console.sessions import Sessions
    from parlour.console.sign_ins import SignIns
    from parlour.http.endpoint_routes import EndpointMatch
    from parlour.http.messages import Headers, Request
    from parlour.resources.console_sessions.store import ConsoleSession

SESSION_PATH: Final = f"{CONSOLE_ROOT}/session"
_OWN: Final = frozenset({b"cache-control", b"www-authenticate", b"vary"})
_CORS: Final = b"access-control-"


class ConsoleEndpoint:
    """Serves the page, its session, and the operations behind the gate."""

    def __init__(
        self,
        headers: Headers,
        *,
        hosts: ConsoleHosts,
        pages: Pages,
        sessions: Sessions,
        sign_ins: SignIns,
        gate: Gate,
        server: dict[str, Any],
    ) -> None:
        """``headers`` are sent with all responses; ``server`` is shown with each session."""
        self._names = frozenset(name for name, _ in headers)
        self._uncached = (*headers, NO_STORE)
        self._hosts = hosts
        self._pages = pages
        self._sessions = sessions
        self._sign_ins = sign_ins
        self._gate = gate
        self._server = server
        self._session_methods: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "GET": self._show,
            "HEAD": self._show,
            "POST": self._open,
            "DELETE": self._end,
        }

    async def respond(self, request: Request, match: EndpointMatch) -> Response:
        """Return the response of any path. Raises ApiError."""
        del match
        # Of errors as well; a file of the page replaces them.
        request.shared_headers = self._uncached
        self._hosts.check_host(request)
        path = request.path
        if path == CONSOLE_API or path.startswith(f"{CONSOLE_API}/"):
            try:
                return self._with_own_headers(await self._gate.respond(request))
            except ApiError as error:
                clear_tracebacks(error)
                return self._with_own_headers(error_response(error))
        if path == SESSION_PATH:
            handle = self._session_methods.get(request.method)
            if handle is None:
                raise ApiError(20004, headers={"Allow": "GET, POST, DELETE"})
            return await handle(request)
        if path == CONSOLE_ROOT:
            return Response(308, headers=((b"location", f"{CONSOLE_ROOT}/".encode()),))
        return await self._pages.respond(request)

    def _with_own_headers(self, response: Response) -> Response:
        """Return a response of the API without the headers that the console sets itself.

        Of media their own policy stays: a browser obeys both.
        """
        headers = tuple(
            (name, value)
            for name, value in response.headers
            if name == b"content-security-policy"
            or (name not in self._names and name not in _OWN and not name.startswith(_CORS))
        )
        return Response(
            response.status,
            response.body,
            headers,
            response.stream,
            response.length,
            response.closes,
        )

    # --- The session --------------------------------------------------------------------------

    async def _show(self, request: Request) -> Response:
        self._hosts.check_read(request)
        session = await self._gate.find_session(request)
        if session is None:
            error = no_session()
            body = {**error.body(), "open": self._sign_ins.is_open(request)}
            return Response(error.status, encode(body))
        return Response(200, self._shown(session))

    async def _open(self, request: Request) -> Response:
        self._hosts.check_change(request)
        # Before the slot: clients that send slowly would keep others from signing in.
        form = await read_form(request)
        leave = self._gate.enter_unknown(self._hosts.address_of(request))
        try:
            scheme = self._hosts.scheme_of(request)
            principal = await self._sign_ins.sign_in(request, form)
            replaced = await self._sessions.find(request, scheme)
            session, token = await self._sessions.open(principal, replaced)
        finally:
            leave()
        return Response(201, self._shown(session), (JSON, set_cookie(token, scheme)))

    async def _end(self, request: Request) -> Response:
        self._hosts.check_change(request)
        scheme = self._hosts.scheme_of(request)
        session = await self._gate.find_session(request)
        if session is not None:
            await self._sessions.end(session)
        return Response(NO_CONTENT.status, headers=(clear_cookie(scheme),))

    def _shown(self, session: ConsoleSession) -> bytes:
        principal = principal_of(session)
        ends_with_process = session.ends == WITH_PROCESS
        return encode(
            {
                "principal": {
                    "kind": principal.kind,
                    "name": principal.name,
                    "role": principal.role,
                },
                "account_sid": None if session.kind == OPERATOR else session.account_sid,
                "may_change": principal.may_change,
                "shows_bodies": self._gate.shows_bodies_to(session),
                "ends": None if ends_with_process else format_date(session.ends),
                "idle_seconds": None if ends_with_process else limits.CONSOLE_IDLE_SECONDS,
                **self._server,
            }
        )
