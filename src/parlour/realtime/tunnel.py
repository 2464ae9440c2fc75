"""The HTTP that travels in frames: which request it is, and who answers it.

Only the path counts; the host that a client writes is a label. Whatever happens to a request, its
frame has arrived, so the answer's transport status is 200 and HTTP's status stands beside it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from parlour.protocol import twilsock_frames
from parlour.realtime.outbox import Gone
from parlour.realtime.session import TunnelReply, TunnelRequest
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError, clear_tracebacks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.operations.admission import Admission
    from parlour.protocol.twilsock_frames import Frame
    from parlour.realtime.connection import Connection
    from parlour.realtime.objects import Objects
    from parlour.realtime.reply_order import ReplyOrder
    from parlour.realtime.session import Session
    from parlour.realtime.subscriptions import Subscriptions
    from parlour.realtime.turns import Turns
    from parlour.vocabulary.clock import Random

log = structlog.get_logger()

_SUBSCRIPTIONS = "/v4/Subscriptions"
_OBJECTS = "/v3/"
_COMMANDS = ("/Client/v2/", "/v1/registrations")


class Commands(Protocol):
    """Whoever answers what is neither an object nor a subscription."""

    async def answer(self, session: Session, request: TunnelRequest) -> TunnelReply:
        """Answer one request. Raises ApiError."""
        ...


class _Http(msgspec.Struct):
    """``http_request`` of a frame's header."""

    path: str
    method: str
    params: dict[str, Any] | None = None
    headers: dict[str, Any] | None = None


def request_of(frame: Frame) -> TunnelRequest | None:
    """The request in a frame; None where there is none."""
    try:
        said = msgspec.convert(frame.header.get("http_request"), _Http)
    except msgspec.ValidationError:
        return None
    kind = frame.header.get("payload_type")
    return TunnelRequest(
        method=said.method.upper(),
        path=said.path,
        params={name: _texts(value) for name, value in (said.params or {}).items()},
        headers={name.lower(): str(value) for name, value in (said.headers or {}).items()},
        content_type=kind if isinstance(kind, str) else twilsock_frames.JSON_TYPE,
        body=frame.payload,
    )


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def reply_frame(frame_id: str, reply: TunnelReply) -> bytes:
    """The frame of an answer."""
    header = twilsock_frames.reply_to_request(
        frame_id,
        reply.status,
        HTTPStatus(reply.status).phrase,
        reply.headers,
        twilsock_frames.JSON_TYPE if reply.body else None,
    )
    return twilsock_frames.write(header, reply.body)


class Tunnel:
    """Finds who answers a request, and makes an answer of whatever comes of it."""

    def __init__(
        self,
        commands: Commands,
        objects: Objects,
        subscriptions: Subscriptions,
        *,
        order: ReplyOrder,
        turns: Turns,
        admission: Admission,
        random: Random,
    ) -> None:
        self._order = order
        self._commands = commands
        self.objects = objects
        self.subscriptions = subscriptions
        self._turns = turns
        self._admission = admission
        self._random = random

    async def answer(self, connection: Connection, frame: Frame) -> None:
        """Answer the request in a frame, and then do what follows from it."""
        request_sid = self._random.sid(sids.REQUEST)
        request, frame_id = request_of(frame), frame.id
        del frame
        if request is None or len(request.path) > limits.URL_PATH_BYTES_MAX:
            reply = _refusal(ApiError(20001, "Invalid HTTP request"))
            _send_reply(connection, frame_id, request_sid, reply)
            return
        send = partial(_send_reply, connection, frame_id, request_sid)
        if _is_page(request):
            # One page of a connection after another, and none while it takes no answers.
            async with connection.reading:
                await connection.drained()
                reply = await self._carry_out(connection, request, request_sid, send)
        else:
            reply = await self._carry_out(connection, request, request_sid, send)
        if reply.then is not None:
            await self._follow(request_sid, reply.then)

    async def _carry_out(
        self,
        connection: Connection,
        request: TunnelRequest,
        request_sid: str,
        send: Callable[[TunnelReply], None],
    ) -> TunnelReply:
        """Carry a request out, and send its reply when it is its turn (``reply_order.py``)."""
        hold = self._order.hold(connection, request)
        work = partial(self._admitted, connection, request, request_sid)
        if hold is None:
            return await work(send)
        try:
            reply = await work(_send_later)
            await hold.settle(reply)
            send(reply)
        finally:
            hold.release()
        return reply

    async def _admitted(
        self,
        connection: Connection,
        request: TunnelRequest,
        request_sid: str,
        send: Callable[[TunnelReply], None],
    ) -> TunnelReply:
        """Carry a request out in its turn, if it is a read of a page."""
        session = connection.session
        work = partial(self._answered, connection, request)
        if not _is_page(request):
            return await self._admit(session, request_sid, work, send)
        async with self._turns.of(session.scope.account_sid, session.identity):
            connection.must_be_there()  # It may have gone while it waited for its turn.
            return await self._admit(session, request_sid, work, send)

    @staticmethod
    async def _follow(request_sid: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do what follows from an answer. It is not admitted, since it waits for the client.

        What it reads, it reads in turns of its own. A failure is lost: the client asks again for
        what does not come.
        """
        try:
            await work()
        except Gone:
            raise
        except (ApiError, Busy, Unavailable) as error:
            log.warning("subscriptions_failed", request_sid=request_sid, error=repr(error))
            clear_tracebacks(error)
        except Exception as error:
            log.exception("bug", request_sid=request_sid)
            clear_tracebacks(error)

    async def _admit(
        self,
        session: Session,
        request_sid: str,
        work: Callable[[], Awaitable[TunnelReply]],
        send: Callable[[TunnelReply], None],
    ) -> TunnelReply:
        """Admit a request, carry it out and send its reply.

        It keeps its place until the reply is in the outbox, or held back, and so in the byte pool.
        """
        account_sid, identity = session.scope.account_sid, session.identity
        try:
            self._admission.enter(account_sid, identity)
        except ApiError as error:
            refusal = _refusal(error)
            send(refusal)
            return refusal
        try:
            reply = await _result(request_sid, work)
            send(reply)
        finally:
            self._admission.leave(account_sid, identity)
        return reply

    async def _answered(self, connection: Connection, request: TunnelRequest) -> TunnelReply:
        if request.path.startswith(_OBJECTS):
            request.take_body()  # It has no meaning.
            return await self.objects.answer(connection.session, request)
        if request.path == _SUBSCRIPTIONS and request.method == "POST":
            return await self.subscriptions.answer(connection, request)
        if request.path.startswith(_COMMANDS):
            return await self._commands.answer(connection.session, request)
        raise ApiError.not_found(request.path)


async def _result(request_sid: str, work: Callable[[], Awaitable[TunnelReply]]) -> TunnelReply:
    """What some work gives, or the refusal for its failure."""
    try:
        return await work()
    except Gone:
        raise
    except ApiError as error:
        clear_tracebacks(error)
        return _refusal(error)
    except (Busy, Unavailable) as error:
        clear_tracebacks(error)
        return _refusal(ApiError(20503))
    except Exception as error:
        log.exception("bug", request_sid=request_sid)
        clear_tracebacks(error)
        return _refusal(ApiError(20500))


def _send_reply(
    connection: Connection, frame_id: str, request_sid: str, reply: TunnelReply
) -> None:
    headers = {"i-twilio-request-id": request_sid} | reply.headers
    connection.reply(reply_frame(frame_id, replace(reply, headers=headers)))


def _send_later(_reply: TunnelReply) -> None:
    """Send nothing yet: the reply is held back."""


def _is_page(request: TunnelRequest) -> bool:
    """Whether a request may be answered with a whole page."""
    is_of_items = request.path.startswith(_OBJECTS) and request.path.endswith("/Items")
    return request.method == "GET" and (is_of_items or request.path.startswith(_COMMANDS))


def _refusal(error: ApiError) -> TunnelReply:
    return TunnelReply(status=error.status, body=msgspec.json.encode(error.body()))
