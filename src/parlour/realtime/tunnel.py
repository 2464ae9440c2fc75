"""The HTTP requests inside frames: parsing, routing, admission, and the order of replies.

Only the path is routed; the client's host name is ignored. The transport status of a reply is
always 200, as the frame has arrived; the HTTP status is a separate field.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from parlour.protocol import twilsock_frames
from parlour.realtime.outbox import ConnectionClosed
from parlour.realtime.session import TunnelReply, TunnelRequest
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError, clear_tracebacks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.operations.admission import Admission
    from parlour.protocol.twilsock_frames import Frame
    from parlour.realtime.command_records import CommandRecorder
    from parlour.realtime.connection import ClientConnection
    from parlour.realtime.object_reader import ObjectReader
    from parlour.realtime.read_scheduler import ReadScheduler
    from parlour.realtime.reply_order import ReplyOrder
    from parlour.realtime.session import Session
    from parlour.realtime.subscriptions import Subscriptions
    from parlour.vocabulary.clock import Random

log = structlog.get_logger()

_SUBSCRIPTIONS = "/v4/Subscriptions"
_OBJECTS = "/v3/"
_COMMANDS = ("/Client/v2/", "/v1/registrations")


class CommandHandler(Protocol):
    """The handler of requests that are neither objects nor subscriptions."""

    async def handle(self, session: Session, request: TunnelRequest) -> TunnelReply:
        """Handle one request. Raises ApiError."""
        ...


class CommandHook(Protocol):
    """Runs a command in place of its handler."""

    async def __call__(
        self,
        connection: ClientConnection,
        request: TunnelRequest,
        run: Callable[[Session, TunnelRequest], Awaitable[TunnelReply]],
        /,
    ) -> TunnelReply:
        """Return the reply. Raises ApiError, and ConnectionClosed if it has closed the socket."""
        ...


class _HttpRequest(msgspec.Struct):
    """``http_request`` of a frame's header."""

    path: str
    method: str
    params: dict[str, Any] | None = None
    headers: dict[str, Any] | None = None


def parse_request(frame: Frame, sid: str) -> TunnelRequest | None:
    """Return the request in a frame; None if there is none."""
    try:
        http_request = msgspec.convert(frame.header.get("http_request"), _HttpRequest)
    except msgspec.ValidationError:
        return None
    kind = frame.header.get("payload_type")
    return TunnelRequest(
        method=http_request.method.upper(),
        path=http_request.path,
        params={name: _texts(value) for name, value in (http_request.params or {}).items()},
        headers={name.lower(): str(value) for name, value in (http_request.headers or {}).items()},
        content_type=kind if isinstance(kind, str) else twilsock_frames.JSON_TYPE,
        body=frame.payload,
        sid=sid,
    )


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def reply_frame(frame_id: str, reply: TunnelReply) -> bytes:
    """Return the frame of a reply."""
    header = twilsock_frames.reply_to_request(
        frame_id,
        reply.status,
        HTTPStatus(reply.status).phrase,
        reply.headers,
        twilsock_frames.JSON_TYPE if reply.body else None,
    )
    return twilsock_frames.write(header, reply.body)


class Tunnel:
    """Route requests to their handlers, and send replies or errors."""

    def __init__(
        self,
        commands: CommandHandler,
        objects: ObjectReader,
        subscriptions: Subscriptions,
        *,
        reply_order: ReplyOrder,
        read_scheduler: ReadScheduler,
        admission: Admission,
        random: Random,
    ) -> None:
        self._reply_order = reply_order
        self._commands = commands
        self.objects = objects
        self.subscriptions = subscriptions
        self._read_scheduler = read_scheduler
        self._admission = admission
        self._random = random
        self.around: CommandHook | None = None
        """Runs the commands, if it is set: test mode."""
        self.recorder: CommandRecorder | None = None
        """Records the commands, if it is set."""

    async def handle(self, connection: ClientConnection, frame: Frame) -> None:
        """Handle the request in a frame, then run its follow-up work."""
        request_sid = self._random.sid(sids.REQUEST)
        request, frame_id = parse_request(frame, request_sid), frame.id
        del frame
        if request is None or len(request.path) > limits.URL_PATH_BYTES_MAX:
            reply = _error_reply(ApiError(20001, "Invalid HTTP request"))
            _send_reply(connection, frame_id, request_sid, reply)
            return
        send = partial(_send_reply, connection, frame_id, request_sid)
        if _is_page(request):
            # Backpressure: one page at a time per connection, and none while its outbox is full.
            async with connection.page_lock:
                await connection.drain()
                reply = await self._execute_in_order(connection, request, request_sid, send)
        else:
            reply = await self._execute_in_order(connection, request, request_sid, send)
        if reply.after_reply is not None:
            await self._run_after_reply(request_sid, reply.after_reply)

    async def _execute_in_order(
        self,
        connection: ClientConnection,
        request: TunnelRequest,
        request_sid: str,
        send: Callable[[TunnelReply], None],
    ) -> TunnelReply:
        """Execute a request, and send its reply in order (``reply_order.py``)."""
        # Created before the execution: it records how many notifications were sent before.
        barrier = self._reply_order.barrier(connection, request)
        work = partial(self._execute_in_slot, connection, request, request_sid)
        if barrier is None:
            return await work(send)
        try:
            reply = await work(_defer)
            await barrier.wait(reply)
            send(reply)
        finally:
            barrier.release()
        return reply

    async def _execute_in_slot(
        self,
        connection: ClientConnection,
        request: TunnelRequest,
        request_sid: str,
        send: Callable[[TunnelReply], None],
    ) -> TunnelReply:
        """Execute a request, a page read in a slot of the read scheduler."""
        session = connection.session
        work = partial(self._route, connection, request)
        if not _is_page(request):
            return await self._execute_admitted(session, request_sid, work, send)
        async with self._read_scheduler.slot(session.scope.account_sid, session.identity):
            connection.raise_if_closed()  # It may have closed while it was queued.
            return await self._execute_admitted(session, request_sid, work, send)

    @staticmethod
    async def _run_after_reply(request_sid: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run the follow-up work of a reply."""
        # It is not admitted, since it waits for the client; its reads are scheduled. A failure is
        # only logged: the client retries after a timeout.
        try:
            await work()
        except ConnectionClosed:
            raise
        except (ApiError, Busy, Unavailable) as error:
            log.warning("reply_follow_up_failed", request_sid=request_sid, error=repr(error))
            clear_tracebacks(error)
        except Exception as error:
            log.exception("unhandled_exception", request_sid=request_sid)
            clear_tracebacks(error)

    async def _execute_admitted(
        self,
        session: Session,
        request_sid: str,
        work: Callable[[], Awaitable[TunnelReply]],
        send: Callable[[TunnelReply], None],
    ) -> TunnelReply:
        """Admit a request, execute it and send its reply."""
        # It stays admitted until the reply is in the outbox, or held back, and so in the byte pool.
        account_sid, identity = session.scope.account_sid, session.identity
        try:
            self._admission.enter(account_sid, identity)
        except ApiError as error:
            rejection = _error_reply(error)
            send(rejection)
            return rejection
        try:
            reply = await _execute(request_sid, work)
            send(reply)
        finally:
            self._admission.leave(account_sid, identity)
        return reply

    async def _route(self, connection: ClientConnection, request: TunnelRequest) -> TunnelReply:
        if request.path.startswith(_OBJECTS):
            request.take_body()  # A body has no meaning here.
            return await self.objects.handle(connection.session, request)
        if request.path == _SUBSCRIPTIONS and request.method == "POST":
            return await self.subscriptions.handle(connection, request)
        if request.path.startswith(_COMMANDS):
            run = partial(self._run_command, connection)
            if self.recorder is None:
                return await run(connection.session, request)
            return await self.recorder.run(connection.session, request, run)
        raise ApiError.not_found(request.path)

    async def _run_command(
        self, connection: ClientConnection, session: Session, request: TunnelRequest
    ) -> TunnelReply:
        if self.around is not None:
            return await self.around(connection, request, self._commands.handle)
        return await self._commands.handle(session, request)


async def _execute(request_sid: str, work: Callable[[], Awaitable[TunnelReply]]) -> TunnelReply:
    """Return the reply of some work, or the error reply of its failure."""
    try:
        return await work()
    except ConnectionClosed:
        raise
    except ApiError as error:
        clear_tracebacks(error)
        return _error_reply(error)
    except (Busy, Unavailable) as error:
        clear_tracebacks(error)
        return _error_reply(ApiError(20503))
    except Exception as error:
        log.exception("unhandled_exception", request_sid=request_sid)
        clear_tracebacks(error)
        return _error_reply(ApiError(20500))


def _send_reply(
    connection: ClientConnection, frame_id: str, request_sid: str, reply: TunnelReply
) -> None:
    headers = {"i-twilio-request-id": request_sid} | reply.headers
    connection.reply(reply_frame(frame_id, replace(reply, headers=headers)))


def _defer(_reply: TunnelReply) -> None:
    """Send nothing: the reply is held back."""


def _is_page(request: TunnelRequest) -> bool:
    """Whether the reply to a request may be a whole page."""
    is_of_items = request.path.startswith(_OBJECTS) and request.path.endswith("/Items")
    return request.method == "GET" and (is_of_items or request.path.startswith(_COMMANDS))


def _error_reply(error: ApiError) -> TunnelReply:
    return TunnelReply(status=error.status, body=msgspec.json.encode(error.body()))
