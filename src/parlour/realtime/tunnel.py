"""The HTTP that travels in frames: which request it is, and who answers it.

Only the path counts; the host that a client writes is a label. Whatever happens to a request, its
frame has arrived, so the answer's transport status is 200 and HTTP's status stands beside it.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec
import structlog

from parlour.protocol import framing
from parlour.realtime.session import TunnelReply, TunnelRequest
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.operations.admission import Admission
    from parlour.protocol.framing import Frame
    from parlour.realtime.connection import Connection
    from parlour.realtime.objects import Objects
    from parlour.realtime.session import Session
    from parlour.realtime.subscriptions import Subscriptions
    from parlour.vocabulary.clock import Random

log = structlog.get_logger()

T = TypeVar("T")

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
        content_type=kind if isinstance(kind, str) else framing.JSON_TYPE,
        body=frame.payload,
    )


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def reply_frame(frame_id: str, reply: TunnelReply) -> bytes:
    """The frame of an answer."""
    header = framing.reply_to_request(
        frame_id,
        reply.status,
        HTTPStatus(reply.status).phrase,
        reply.headers,
        framing.JSON_TYPE if reply.body else None,
    )
    return framing.write(header, reply.body)


class Tunnel:
    """Finds who answers a request, and makes an answer of whatever comes of it."""

    def __init__(
        self,
        commands: Commands,
        objects: Objects,
        subscriptions: Subscriptions,
        *,
        admission: Admission,
        random: Random,
    ) -> None:
        self._commands = commands
        self._objects = objects
        self.subscriptions = subscriptions
        self._admission = admission
        self._random = random

    async def answer(self, connection: Connection, frame: Frame) -> None:
        """Answer the request in a frame, and then do what follows from it."""
        request_sid = self._random.sid(sids.REQUEST)
        reply = await self._reply(connection, frame, request_sid)
        headers = {"i-twilio-request-id": request_sid} | reply.headers
        answer = TunnelReply(status=reply.status, body=reply.body, headers=headers)
        connection.reply(reply_frame(frame.id, answer))
        if reply.then is not None:
            # Its refusal is lost: the client asks again for what does not come.
            await self._admitted(connection, request_sid, reply.then)

    async def _reply(self, connection: Connection, frame: Frame, request_sid: str) -> TunnelReply:
        request = request_of(frame)
        if request is None or len(request.path) > limits.URL_PATH_BYTES_MAX:
            return _refusal(ApiError(20001, "Invalid HTTP request"))
        return await self._admitted(
            connection, request_sid, partial(self._answered, connection, request)
        )

    async def _admitted(
        self, connection: Connection, request_sid: str, work: Callable[[], Awaitable[T]]
    ) -> T | TunnelReply:
        """What some work gives, or why it is refused."""
        session = connection.session
        account_sid, identity = session.scope.account_sid, session.identity
        try:
            self._admission.enter(account_sid, identity)
            try:
                return await work()
            finally:
                self._admission.leave(account_sid, identity)
        except ApiError as error:
            return _refusal(error)
        except (Busy, Unavailable):
            return _refusal(ApiError(20503))
        except Exception:
            log.exception("bug", request_sid=request_sid)
            return _refusal(ApiError(20500))

    async def _answered(self, connection: Connection, request: TunnelRequest) -> TunnelReply:
        if request.path.startswith(_OBJECTS):
            return await self._objects.answer(connection.session, request)
        if request.path == _SUBSCRIPTIONS and request.method == "POST":
            return await self.subscriptions.answer(connection, request)
        if request.path.startswith(_COMMANDS):
            return await self._commands.answer(connection.session, request)
        raise ApiError.not_found(request.path)


def _refusal(error: ApiError) -> TunnelReply:
    return TunnelReply(status=error.status, body=msgspec.json.encode(error.body()))
