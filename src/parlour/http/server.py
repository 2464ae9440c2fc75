"""The ASGI entry: what is true of every HTTP request, before and after its resource.

A request gets an id, is authenticated, has its body read within a limit, and every answer leaves
with the same headers, is counted, and is logged without anything it said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from parlour.http.connection import ANSWER
from parlour.http.messages import JSON, NO_CONTENT, GoneError, Reply, Request, refusal
from parlour.http.streams import linger, read_body, send_pieces
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.http.authentication import Authentication
    from parlour.http.media import MediaEdge
    from parlour.http.messages import AsgiScope, Receive, Send
    from parlour.http.metrics import Metrics
    from parlour.http.router import Router
    from parlour.operations.admission import Admission
    from parlour.operations.caller import Caller
    from parlour.vocabulary.clock import Clock, Random

log = structlog.get_logger()

_RETRY: Final = {"Retry-After": str(limits.RETRY_AFTER_SECONDS)}
_SHARED_HEADERS: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
    (
        b"access-control-allow-headers",
        (
            b"Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, "
            b"If-Unmodified-Since, Idempotency-Key, X-Twilio-Webhook-Enabled"
        ),
    ),
    (b"access-control-allow-credentials", b"true"),
    (b"access-control-expose-headers", b"ETag"),
)


# As it goes over the wire, with the headers that every answer of the API has.
_PLAIN_LINES: Final = b"".join(b"%s: %s\r\n" % each for each in (JSON, *_SHARED_HEADERS))


class Server:
    """The application that the ASGI server runs."""

    def __init__(
        self,
        router: Router,
        media: MediaEdge,
        *,
        authentication: Authentication,
        admission: Admission,
        metrics: Metrics,
        clock: Clock,
        random: Random,
        request_log: str,
    ) -> None:
        self._router = router
        self._media = media
        self._authentication = authentication
        self._admission = admission
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._request_log = request_log

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        assert scope["type"] == "http", scope["type"]
        request = Request(
            scope, receive, self._random.sid(sids.REQUEST), self._clock.monotonic_ms()
        )
        try:
            reply = await self._reply(request)
        except GoneError:
            return
        seconds = (self._clock.monotonic_ms() - request.started_ms) / 1000
        await self._send(request, reply, seconds, send)
        self._done(request, reply.status, seconds)

    async def _reply(self, request: Request) -> Reply:
        """Turn whatever happens into an answer of the API's own shape."""
        try:
            if (found := self._media.find(request.path)) is not None:
                return await self._media.reply(request, *found)
            if request.method == "OPTIONS":
                return NO_CONTENT
            open_reply = self._router.open_reply(request)
            return open_reply or await self._admitted(request)
        except ApiError as error:
            return refusal(error)
        except (Busy, Unavailable):
            # Whoever asked the store: the login is looked up there as well.
            return refusal(ApiError(20503, headers=_RETRY))
        except GoneError:
            raise
        except Exception:
            log.exception("bug", request_sid=request.request_sid)
            return refusal(ApiError(20500))

    async def _admitted(self, request: Request) -> Reply:
        """Who is it, is there room, what is said, which resource."""
        caller = await self._authentication.caller(request.header(b"authorization"))
        request.caller = caller
        self._admission.enter(caller.account_sid, caller.identity)
        try:
            if request.method == "POST":
                request.body = await read_body(request)
            return await self._router.respond(request, caller)
        finally:
            self._admission.leave(caller.account_sid, caller.identity)

    async def _send(self, request: Request, reply: Reply, seconds: float, send: Send) -> None:
        # Taken out: it knows the exchange, whose scope would know itself otherwise.
        answer = request.scope.pop(ANSWER, None)
        if answer is not None and reply.is_plain and not request.needs_its_own_head:
            lines = b"%stwilio-request-id: %s\r\ntwilio-request-duration: %.3f\r\n" % (
                _PLAIN_LINES,
                request.request_sid.encode(),
                seconds,
            )
            lines += b"twilio-concurrent-requests: %d\r\ncontent-length: %d\r\n" % (
                self._concurrent(request.caller),
                len(reply.body),
            )
            body = b"" if request.method == "HEAD" else reply.body
            await answer(reply.status, lines, body)
            return
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": self._headers(request, reply, seconds),
            }
        )
        if reply.content is not None:
            await send_pieces(reply.content, request.receive, send)
            return
        body = b"" if request.method == "HEAD" else reply.body
        if request.is_unread:
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await linger(request)
            body = b""
        await send({"type": "http.response.body", "body": body})

    def _headers(self, request: Request, reply: Reply, seconds: float) -> list[tuple[bytes, bytes]]:
        headers = [
            *reply.headers,
            *(request.shared_headers or _SHARED_HEADERS),
            (b"twilio-request-id", request.request_sid.encode()),
            (b"twilio-request-duration", b"%.3f" % seconds),
            (b"twilio-concurrent-requests", b"%d" % self._concurrent(request.caller)),
        ]
        if reply.status not in {204, 304}:
            headers.append((b"content-length", b"%d" % reply.content_length))
        if request.is_unread:
            headers.append((b"connection", b"close"))
        return headers

    def _concurrent(self, caller: Caller | None) -> int:
        """How many requests of the account are running, this one included."""
        return 1 + self._admission.running_of(caller.account_sid) if caller else 1

    def _done(self, request: Request, status: int, seconds: float) -> None:
        """Count one answer, and log it if it is to be logged."""
        self._metrics.answered(request.operation_id, status, seconds)
        if self._request_log == "none":
            return
        if status < 500 and self._request_log != "all" and seconds < limits.SLOW_REQUEST_SECONDS:
            return
        log.info(
            "request",
            request_sid=request.request_sid,
            operation_id=request.operation_id,
            method=request.method,
            status=status,
            seconds=round(seconds, 6),
            account_sid=request.caller.account_sid if request.caller else "",
        )
