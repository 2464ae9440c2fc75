"""The steps that every HTTP request has in common, before and after its operation.

A request gets an id, is authenticated and admitted, and has its body read within a limit; every
response has the same headers, is counted, and is logged without content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from parlour.http import logged_paths
from parlour.http.console_requests import (
    CONSOLE_API,
    CONSOLE_ROOT,
    NO_STORE,
    is_for_console,
)
from parlour.http.messages import (
    JSON,
    NO_CONTENT,
    ClientDisconnectedError,
    Response,
    error_response,
)
from parlour.http.refusal_decisions import RefusalDecisions
from parlour.http.request_records import recording
from parlour.http.request_slots import release_slot, take_slot
from parlour.http.response_headers import (
    HEADERLESS_LENGTH,
    PLAIN_LINES,
    REFUSAL_BODIES,
    REFUSAL_LINES,
    SHARED_LINES,
    lines_of,
    overload_error,
)
from parlour.http.streams import read_body, send_stream
from parlour.operations.delayed_refusals import DelayedRefusals
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError, clear_tracebacks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from parlour.http.authentication import Authentication
    from parlour.http.client_addresses import ClientAddresses
    from parlour.http.connection import HttpConnection
    from parlour.http.endpoint_routes import EndpointRoutes, OperationEndpoint
    from parlour.http.messages import Headers, Request, RequestHook
    from parlour.http.metrics import Metrics
    from parlour.http.router import Router
    from parlour.operations.admission import Admission
    from parlour.operations.caller import Caller
    from parlour.operations.operation import AuthScheme
    from parlour.operations.request_journal import RequestJournal
    from parlour.operations.work_limit import WorkLimit
    from parlour.protocol.header_block import HeaderBlock
    from parlour.vocabulary.clock import Clock, Random

    RequestGuard = Callable[[HeaderBlock, str], None]
    """Raises ApiError for a request, by its headers and its path, that must not be served."""

log = structlog.get_logger()

# They need no login, but may have one.
_PUBLIC_PATHS: Final = frozenset({"/healthz", "/metrics"})
PUBLIC_REQUEST_STARTS: Final = tuple(b"GET %s" % path.encode() for path in sorted(_PUBLIC_PATHS))
"""The first bytes of requests for them."""
_PREPARED_METHODS: Final = frozenset({"GET", "POST", "DELETE"})


def _surround_nothing(_hook: RequestHook | None) -> None:
    """Do nothing: the server has no operations yet."""


# The steps of a request, called by its connection:
#
#   1. ``cached_account``, ``admit``   with a cached login the request is counted at once
#   2. ``look_up_login``               else the login is read, and the request scheduled again
#   3. ``serve``                       endpoint, public path or operation; the response is sent
#   4. ``release``                     the slots are released
#
# Invariants: the work slot is released when the response is computed, the admission slot when the
# kernel has its last byte (of a download: when it has a transfer slot); each exactly once, on every
# path, errors and disconnects included.
class HttpServer:
    """Serves requests: authentication, admission, routing, responses, request log."""

    def __init__(
        self,
        router: Router,
        routes: EndpointRoutes,
        endpoints: Mapping[AuthScheme, OperationEndpoint],
        *,
        authentication: Authentication,
        client_addresses: ClientAddresses,
        admission: Admission,
        work: WorkLimit,
        metrics: Metrics,
        clock: Clock,
        random: Random,
        request_log: str,
        reads_synchronously: bool,
        console_headers: Headers,
        guard: RequestGuard | None = None,
        journal: RequestJournal | None = None,
    ) -> None:
        """``reads_synchronously``: reads from the store, an embedded one, never block.

        ``console_headers`` are the headers of refused requests for the console.
        """
        self._reads_at_once = reads_synchronously
        self._router = router
        self.routes = routes
        self._endpoints = endpoints
        self._authentication = authentication
        self._client_addresses = client_addresses
        self._admission = admission
        self.work = work
        self._refusals = RefusalDecisions(authentication, admission, work, clock)
        self.held_refusals: DelayedRefusals[tuple[HttpConnection, int]] = DelayedRefusals(clock)
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._request_log = request_log
        self._console_lines = lines_of((JSON, *console_headers, NO_STORE))
        self.guard = guard
        self._respond, self._note = recording(journal, clock, self._reply)
        self.surround: Callable[[RequestHook | None], None] = _surround_nothing
        """Sets what runs the requests of operations; None: the server. See wiring.py."""

    def allows_upgrade(self, block: HeaderBlock, path: str) -> bool:
        """Return whether the guard lets a connection become a WebSocket."""
        if self.guard is None:
            return True
        try:
            self.guard(block, path)
        except ApiError:
            return False
        return True

    def can_run_eagerly(self, request: Request) -> bool:
        """Return whether a request can run without a task, as it cannot block (eager.py)."""
        return (
            self._reads_at_once
            and request.method == "GET"
            and request.caller is not None
            and request.endpoint is None
        )

    def cached_account(self, request: Request) -> str | None:
        """Return the account of a cached login; empty without a login, None if not cached."""
        fields = request.block.fields
        if is_for_console(request):
            return ""  # Its only login is the session.
        if b"authorization" not in fields:
            return "" if b"x-twilio-token" not in fields else None
        caller = request.caller = self._authentication.cached_caller(request.block)
        return None if caller is None else caller.owner

    def body_bytes_max(self, request: Request) -> int:
        """Return the limit of the body of a request."""
        return self._router.body_bytes_max(request.path, request.method)

    def buffers_body_first(self, request: Request) -> bool:
        """Return whether the body may be buffered before a task is created."""
        return request.caller is not None and request.endpoint is None

    def needs_login_lookup(self, request: Request) -> bool:
        """Return whether the login must be read from the store first."""
        return (
            request.caller is None
            and request.login_error is None
            and b"authorization" in request.block.fields
            and request.endpoint is None
            and request.path not in _PUBLIC_PATHS
            and request.method != "OPTIONS"
        )

    async def look_up_login(self, request: Request) -> None:
        """Look up the login of a request: set ``caller`` or ``login_error``."""
        self._open(request)
        try:
            request.caller = await self._caller(request)
        except (ApiError, Busy, Unavailable) as error:
            clear_tracebacks(error)
            request.login_error = error
        except Exception as error:
            log.exception("unhandled_exception", request_sid=request.request_sid)
            clear_tracebacks(error)
            request.login_error = ApiError(20500)

    def _open(self, request: Request) -> None:
        request.request_sid = self._random.sid(sids.REQUEST)
        request.started_ms = self._clock.monotonic_ms()

    async def serve(self, request: Request) -> None:
        """Serve one request."""
        if not request.request_sid:
            self._open(request)
        try:
            reply = await self._respond(request)
            # Before sending: a slow client needs no CPU time.
            self._end_work(request)
            if len(reply.body) > limits.UNRESERVED_ANSWER_BYTES_MAX:
                reply = await self._reserved(request, reply)
            seconds = (self._clock.monotonic_ms() - request.started_ms) / 1000
            if self._note is not None:
                self._note(request, reply, seconds)
            await self._send(request, reply, seconds)
            self._done(request, reply.status, seconds)
        except ClientDisconnectedError as error:
            clear_tracebacks(error)
        except Exception as error:
            log.exception("unhandled_exception", request_sid=request.request_sid)
            clear_tracebacks(error)
            # A part of the response may be sent already: no error response can follow.
            request.exchange.abort()
        finally:
            self.release(request)
            request.exchange.finish()

    async def _reply(self, request: Request) -> Response:
        """Return the response; every error becomes a response in the format of the API."""
        try:
            # The gate of the console is stricter.
            if self.guard is not None and not is_for_console(request):
                self.guard(request.block, request.path)
            if request.endpoint is not None:
                endpoint = self._endpoints[request.endpoint.route.authentication]
                return await endpoint.respond(request, request.endpoint)
            if request.method == "OPTIONS":
                return NO_CONTENT
            public_response = self._router.public_response(request)
            if public_response is None and request.path == "/metrics":
                public_response = await self._router.metrics_response(request)
            return public_response or await self._authenticated(request)
        except ApiError as error:
            clear_tracebacks(error)
            return error_response(error)
        except (Busy, Unavailable) as error:
            # From any step: the login is read from the store as well.
            clear_tracebacks(error)
            return error_response(overload_error(503))
        except ClientDisconnectedError:
            raise
        except Exception as error:
            log.exception("unhandled_exception", request_sid=request.request_sid)
            clear_tracebacks(error)
            return error_response(ApiError(20500))

    async def _authenticated(self, request: Request) -> Response:
        """Authenticate, read the body, admit, and route a request."""
        caller = request.caller
        if caller is None:
            if request.login_error is not None:
                raise request.login_error.with_traceback(None)
            caller = request.caller = await self._caller(request)
        request.exchange.assign_account(caller.owner, caller.identity or "")
        if request.method == "POST" and not request.has_body:
            await read_body(request)
        if request.work is None:
            self._begin_work(request, caller)
        take_slot(request, caller, self._admission)
        return await self._router.respond(request, caller)

    async def _caller(self, request: Request) -> Caller:
        proven = self._authentication.cached_caller(request.block)
        if proven is not None:
            return proven
        peer = self._client_addresses.address_of(request)
        return await self._authentication.authenticate_any(request.block, peer)

    async def _reserved(self, request: Request, reply: Response) -> Response:
        """Return the response once the pool has room; after a change, without waiting."""
        if request.method == "POST":
            return reply
        try:
            await request.exchange.reserve_buffer(len(reply.body))
        except ApiError as error:
            return error_response(error)
        return reply

    # --- Overload --------------------------------------------------------------------------------

    def refusal_status(self, block: HeaderBlock) -> int:
        """Return the status that refuses a request under overload; 0: it must be served."""
        return self._refusals.status_of(block)

    @staticmethod
    def can_refuse_early(method: str, path: str) -> bool:
        """Return whether the prepared 401, 429 and 503 fit such a request.

        Responses to HEAD have no body, and public paths are never refused; responses of the console
        have other headers.
        """
        return (
            method in _PREPARED_METHODS
            and path not in _PUBLIC_PATHS
            and not path.startswith(CONSOLE_ROOT)
        )

    def has_known_wrong_login(self, request: Request) -> bool:
        """Return whether the prepared 401 applies: the login is a cached failure."""
        return (
            b"authorization" in request.block.fields
            and request.has_body
            and self.can_refuse_early(request.method, request.path)
            and self._request_log != "all"
            and request.endpoint is None
            and self._authentication.is_known_wrong(
                request.block, self._client_addresses.address_of(request)
            )
        )

    def admit(self, request: Request) -> None:
        """Count a complete request with a known login, so that the next admission sees it."""
        caller = request.caller
        if caller is None and not is_for_console(request):
            # Its login is read again once a second; requests that wait for it count as well.
            caller = self._authentication.recent_caller(request.block)
        if caller is None or not request.has_body:
            return
        request.work = self.work.enter()
        if request.endpoint is not None:
            return  # Endpoints admit their requests themselves.
        try:
            self._admission.enter(caller.account_sid, caller.identity)
        except ApiError:
            return  # It is refused when it runs.
        request.admitted_as = caller

    def release(self, request: Request) -> None:
        """Release the slots of an answered request, or of a disconnected client."""
        if request.work is not None:
            self._end_work(request)
        self.release_admission(request)

    def release_admission(self, request: Request) -> None:
        """Release the admission slot of a request that waits: others of its account are served."""
        release_slot(request, self._admission)

    def _begin_work(self, request: Request, caller: Caller) -> None:
        """Count a request whose body or login came later. Raises 429 and 503."""
        if not self.work.has_room and (
            status := self._admission.refusal_status(
                self.work.limit, caller.account_sid, caller.identity
            )
        ):
            raise overload_error(status)
        request.work = self.work.enter()

    def _end_work(self, request: Request) -> None:
        if request.work is not None:
            request.work.end()
            request.work = None
            self.held_refusals.earn()

    @staticmethod
    def refusal_parts(status: int) -> tuple[bytes, bytes]:
        """Return the header lines of a prepared 401, 429 or 503, without an id, and its body."""
        body = REFUSAL_BODIES[status]
        lines = b"%s%scontent-length: %d\r\n" % (PLAIN_LINES, REFUSAL_LINES[status], len(body))
        return lines, body

    def count_refusal(self, status: int) -> bytes:
        """Count a prepared refusal, and return the header line of its request's id."""
        self._metrics.count_refusal(status)
        return b"twilio-request-id: %s\r\n" % self._random.sid(sids.REQUEST).encode()

    # --- Responses -------------------------------------------------------------------------------

    async def _send(self, request: Request, reply: Response, seconds: float) -> None:
        """Send a response. Raises ClientDisconnectedError."""
        exchange = request.exchange
        lines = self.header_lines(request, reply, seconds)
        closes = reply.closes or request.has_unread_body
        if reply.stream is not None:
            closes = closes or (reply.stream.length is None and not exchange.can_chunk)
            exchange.start_response(reply.status, lines, b"", closes=closes)
            await send_stream(reply.stream, exchange)
            return
        body = b"" if request.method == "HEAD" else reply.body
        exchange.start_response(reply.status, lines, body, closes=closes)
        if exchange.is_write_paused:
            await exchange.flush()

    def header_lines(self, request: Request, reply: Response, seconds: float) -> bytes:
        """Return the headers of a response, except for Connection."""
        if reply.is_plain and request.shared_headers is None:
            first = PLAIN_LINES
        else:
            shared = request.shared_headers
            first = lines_of(reply.headers) + (SHARED_LINES if shared is None else lines_of(shared))
        caller = request.caller
        lines = (
            b"%stwilio-request-id: %s\r\ntwilio-request-duration: %.3f\r\n"
            b"twilio-concurrent-requests: %d\r\n"
        ) % (
            first,
            request.request_sid.encode(),
            seconds,
            self._admission.running_of(caller.account_sid) or 1 if caller else 1,
        )
        if reply.status in HEADERLESS_LENGTH:
            return lines
        if (length := reply.content_length) is not None:
            return b"%scontent-length: %d\r\n" % (lines, length)
        return lines + (b"transfer-encoding: chunked\r\n" if request.exchange.can_chunk else b"")

    def refusal_lines(self, status: int, body: bytes, *, for_console: bool) -> bytes:
        """Count a malformed or refused request; return the headers of its response."""
        self._metrics.count_refusal(status)
        sid = self._random.sid(sids.REQUEST).encode()
        return b"%stwilio-request-id: %s\r\ncontent-length: %d\r\n" % (
            self._console_lines if for_console else PLAIN_LINES,
            sid,
            len(body),
        )

    def _done(self, request: Request, status: int, seconds: float) -> None:
        """Count one response, and log it, depending on ``request_log``."""
        self._metrics.count_request(request, status, seconds)
        if self._request_log == "none":
            return
        if status < 500 and self._request_log != "all" and seconds < limits.SLOW_REQUEST_SECONDS:
            return
        log.info(
            "request_completed",
            request_sid=request.request_sid,
            operation_id=request.operation_id,
            method=request.method,
            path=self._logged_path(request),
            status=status,
            seconds=round(seconds, 6),
            account_sid=request.caller.account_sid if request.caller else "",
        )

    def _logged_path(self, request: Request) -> str:
        if request.endpoint is not None:
            return request.endpoint.route.path
        path = logged_paths.logged_path(request.path, self._router.template_of)
        return path if request.session is None else f"{CONSOLE_API}{path}"
