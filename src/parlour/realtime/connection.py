"""One client's connection: init, requests, renewal of the token, signs of life, the end.

Frames are ``protocol/twilsock_frames.py``'s and bytes ``websocket.py``'s; this decides. A
connection is ``waiting`` for init, ``opening`` while its token is checked, ``open``, or ``ended``.
Requests are answered as they get ready, a bounded number at a time: while that many are in work
nothing more is read.
Every end is one of ``disconnects.py``, which says whether the client comes back.

Work outlives its connection by one step at most: a request that waits for the outbox, and a
replay between two of its steps, raise ``Gone``. A command that has begun is carried through, as
it is one change, whole or not at all.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from parlour.protocol import twilsock_frames
from parlour.protocol.access_tokens import AccessTokenRefused
from parlour.protocol.twilsock_frames import Frame
from parlour.realtime import disconnects
from parlour.realtime.acknowledgements import Acknowledgements
from parlour.realtime.hub import Held, UserKey
from parlour.realtime.outbox import Gone
from parlour.realtime.wire import encoded
from parlour.resources.tokens.verification import AccountNotActive, ServiceUnknown
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError, clear_tracebacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.protocol.access_tokens import AccessToken
    from parlour.protocol.twilsock_frames import FrameError
    from parlour.realtime.disconnects import Disconnect
    from parlour.realtime.endpoint import Endpoint
    from parlour.realtime.session import Session
    from parlour.realtime.websocket import Socket
    from parlour.vocabulary.realtime_objects import ObjectName

log = structlog.get_logger()

# What acknowledges a frame of ours begins like this; thousands come with every message.
_ACKNOWLEDGES = b'"method":"reply"'
_HEAD_BYTES = 160


class _Phase(Enum):
    WAITING = "waiting"
    OPENING = "opening"
    OPEN = "open"
    ENDED = "ended"


class Connection:
    """A client, from its first frame to its last."""

    __slots__ = (
        "_endpoint",
        "_heard_ms",
        "_held_replies",
        "_held_replies_bytes",
        "_phase",
        "_session",
        "_socket",
        "_tasks",
        "_timer",
        "_token_timer",
        "acknowledgements",
        "handled_through",
        "held",
        "listening",
        "reading",
        "subscribing",
        "user_key",
        "user_sid",
    )

    def __init__(self, socket: Socket, endpoint: Endpoint) -> None:
        self._socket = socket
        self._endpoint = endpoint
        self._phase = _Phase.WAITING
        self._session: Session | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard_ms = endpoint.clock.monotonic_ms()
        self.user_key = UserKey("", "", "")
        self.user_sid = ""
        self.listening: dict[str, ObjectName] = {}
        self.held = Held(socket.count)
        self.acknowledgements = Acknowledgements(endpoint.clock, self._send_ping)
        self.handled_through = 0
        """The last event of which the client is known to have handled every notification."""
        self._held_replies = self._held_replies_bytes = 0
        self.reading = asyncio.Lock()
        self.subscribing = asyncio.Lock()
        self._token_timer: asyncio.TimerHandle | None = None
        loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = loop.call_later(
            limits.INIT_SECONDS_MAX, self.end, disconnects.INIT_AWAITED
        )

    @property
    def session(self) -> Session:
        """Who is connected; there once init was accepted."""
        assert self._session is not None
        return self._session

    # --- What the socket calls --------------------------------------------------------------

    def received(self, message: bytes) -> int:
        """Take one frame; return its cost."""
        self._heard_ms = self._endpoint.clock.monotonic_ms()
        if self._phase is _Phase.OPEN and _ACKNOWLEDGES in message[:_HEAD_BYTES]:
            self.acknowledgements.receive(self._heard_ms)
            return 1
        if self._phase is _Phase.ENDED:
            return 1
        return self._take(twilsock_frames.parse(message), len(message))

    def _take(self, frame: Frame | FrameError, size: int) -> int:
        if not isinstance(frame, Frame):
            log.info("frame_unreadable", why=frame.name)
            self.end(disconnects.UNREADABLE)
        elif frame.method == "close":
            self._leave()
        elif frame.method == "init" and self._phase is _Phase.WAITING:
            self._phase = _Phase.OPENING
            self._start(self._init(frame), size)
        elif self._phase is _Phase.OPEN and frame.method in {"message", "update"}:
            work = self._answer if frame.method == "message" else self._update
            self._start(work(frame), size)
            return limits.SOCKET_REQUEST_COST
        elif frame.method in {"put_notification_ctx", "delete_notification_ctx"}:
            self._socket.reply(twilsock_frames.write(twilsock_frames.reply(frame.id)))
        elif self._phase is _Phase.OPEN and frame.method == "reply":
            self.acknowledgements.receive(self._heard_ms)  # Written as others write JSON.
        elif self._phase is not _Phase.OPEN or frame.method == "init":
            self.end(disconnects.OUT_OF_TURN)
        # Whatever else an open client says (telemetry, what is newer than this) wants no answer.
        return limits.SOCKET_CONTROL_COST

    def held_bytes(self) -> int:
        """Return how many bytes of news and of replies are held back."""
        return len(self.held) + self._held_replies_bytes

    def exceeded(self) -> None:
        """Send the client away: it sends more than it may."""
        self.end(disconnects.TOO_MANY_FRAMES)

    def is_slow(self) -> None:
        """Send the client away: it takes what it is sent too slowly."""
        self.end(disconnects.SLOW_CONSUMER)

    def overflow(self) -> None:
        """As above: too much came while its state was read."""
        self.end(disconnects.SLOW_CONSUMER)

    def displace(self) -> None:
        """Send the client away: a user with fewer connections gets its place."""
        self.end(disconnects.DISPLACED)

    def stopping(self) -> None:
        """The server stops: the client comes back, here or elsewhere."""
        self.end(disconnects.SERVER_STOPPING)

    def lost(self) -> None:
        """The connection is gone."""
        self._over()

    def push(self, wire: bytes, frames: int = 1) -> None:
        """Send news that is encoded already: so many frames."""
        self.acknowledgements.sent += frames
        self._socket.push(wire)

    # --- Work -------------------------------------------------------------------------------

    def _start(self, work: Any, size: int = 0) -> None:
        """Do something without making others wait; no more at a time than the limits.

        ``size``: the bytes of the frame that asks for it. They are counted until it is done, also
        when the client has gone.
        """
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, size))
        self._socket.counting.begin_request(size)
        self._hold_if_enough()

    def _hold_if_enough(self) -> None:
        if self._has_enough():
            self._socket.hold()
            self.acknowledgements.give_up()

    def _has_enough(self) -> bool:
        """Whether nothing more is read until a request is done; replies held back are no matter."""
        return (
            len(self._tasks) - min(self._held_replies, limits.HELD_REPLIES_MAX)
            >= limits.SOCKET_REQUESTS_MAX
            or self._socket.counting.requests_bytes >= limits.SOCKET_REQUESTS_BYTES_MAX
        )

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except Gone as gone:
            clear_tracebacks(gone)
        except Exception as error:
            log.exception("connection_failed")
            clear_tracebacks(error)
            self.end(disconnects.FAILED)

    def _done(self, size: int, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._socket.counting.end_request(size)
        if not self._has_enough():
            self._socket.unhold()

    @contextmanager
    def holding(self, size: int) -> Iterator[bool]:
        """Hold a reply of so many bytes back; yield whether it may wait for the client.

        Its request is in work no more, so that the acknowledgements behind it are read.
        """
        is_read = not self._has_enough() and not self._socket.outbox.is_full
        self._held_replies += 1
        self._held_replies_bytes += size
        try:
            if self.held_bytes() > limits.SOCKET_UNCOUNTED_BYTES:
                self._socket.count()
            if not self._has_enough():
                self._socket.unhold()
            yield (
                is_read
                and self._held_replies <= limits.HELD_REPLIES_MAX
                and self._held_replies_bytes <= limits.HELD_REPLIES_BYTES_MAX
            )
        finally:
            self._held_replies -= 1
            self._held_replies_bytes -= size
            self._hold_if_enough()

    async def _answer(self, frame: Frame) -> None:
        await self.drained()  # A client that takes no answers is given no more of them.
        work = self._endpoint.tunnel.answer(self, frame)
        del frame  # Its payload is dropped once it is read, and not when all is done.
        await work

    async def drained(self) -> None:
        """Wait until there is room for more in the outbox. Raises Gone."""
        self.must_be_there()
        await self._socket.outbox.drained()

    def must_be_there(self) -> None:
        """Raise Gone when the connection is over."""
        if self._phase is _Phase.ENDED:
            raise Gone

    def reply(self, answer: bytes) -> None:
        """Send the answer to a request, unless the connection is over."""
        if self._phase is _Phase.OPEN:
            self._socket.reply(answer)

    # --- Init and renewal -------------------------------------------------------------------

    async def _init(self, frame: Frame) -> None:
        is_stopping = self._endpoint.is_stopping
        found: AccessToken | Disconnect
        if is_stopping:
            found = disconnects.SERVER_FULL
        elif sdk := twilsock_frames.unsupported_sdk(frame.header.get("metadata")):
            log.info("client_sdk_unsupported", sdk=sdk)
            found = disconnects.SDK_UNSUPPORTED
        else:
            found = await self._checked(frame)
        if isinstance(found, disconnects.Disconnect):
            self._refuse(frame, found)
        elif self._phase is _Phase.OPENING:
            await self._open(frame, found)

    async def _checked(self, frame: Frame) -> AccessToken | Disconnect:
        """The token of a frame, or why it lets nobody in."""
        try:
            peer = self._endpoint.address_of(self._socket)
            return await self._endpoint.tokens.verify(frame.header.get("token"), peer)
        except AccessTokenRefused as refused:
            log.info("token_refused", code=refused.code, why=refused.reason)
            return disconnects.of_token(refused)
        except ServiceUnknown:
            return disconnects.SERVICE_UNKNOWN
        except AccountNotActive:
            return disconnects.ACCOUNT_NOT_ACTIVE
        except ApiError:
            return disconnects.SERVER_FULL  # Too many wrong tokens of this address and key.

    async def _open(self, frame: Frame, token: AccessToken) -> None:
        endpoint = self._endpoint
        self.user_key = UserKey(token.account_sid, token.service_sid, token.identity)
        if not endpoint.shares.enter(self):
            self._refuse(frame, disconnects.TOO_MANY_CONNECTIONS)
            return
        session = await endpoint.open_session(token, self._socket.scheme, self._socket.host)
        if self._phase is not _Phase.OPENING:
            return
        self._session = session
        self.user_sid = session.user_sid
        self._phase = _Phase.OPEN
        self._socket.accept_init(token.account_sid, token.identity)
        endpoint.hub.enter(self)
        self._socket.reply(twilsock_frames.write(endpoint.welcome(frame, token)))
        self._set_token_timer()
        self._set_ping_timer()

    def _refuse(self, frame: Frame, why: Disconnect) -> None:
        header = twilsock_frames.reply(frame.id, why.said())
        payload = why.payload()
        self._socket.reply(twilsock_frames.write(header, payload))
        self._over()
        self._socket.end()

    async def _update(self, frame: Frame) -> None:
        """Take a newer token of the same user."""
        found = await self._checked(frame)
        if self._phase is not _Phase.OPEN:
            return
        if isinstance(found, disconnects.Disconnect):
            self._refuse(frame, found)
            return
        if UserKey(found.account_sid, found.service_sid, found.identity) != self.user_key:
            self.end(disconnects.UPDATE_FORBIDDEN)
            return
        self.session.token = found
        self._set_token_timer()
        self._socket.reply(twilsock_frames.write(twilsock_frames.reply(frame.id)))

    # --- Time -------------------------------------------------------------------------------

    def _set_token_timer(self) -> None:
        """Tell before the token runs out, once, and end when it has."""
        if self._token_timer is not None:
            self._token_timer.cancel()
        left = (self.session.token.expires_ms - self._endpoint.clock.now_ms()) / 1000
        ahead = max(left - limits.TOKEN_WARNING_SECONDS, 0)
        loop = asyncio.get_running_loop()
        self._token_timer = loop.call_later(ahead, self._warn)

    def _warn(self) -> None:
        left_ms = limits.TOKEN_WARNING_SECONDS * 1000
        header = twilsock_frames.client_update(
            self._endpoint.random.sid(sids.FRAME),
            "token_about_to_expire",
            f"Your token is about to expire. Time left: less than {left_ms} ms",
        )
        self.push(encoded(twilsock_frames.write(header)))
        left = (self.session.token.expires_ms - self._endpoint.clock.now_ms()) / 1000
        loop = asyncio.get_running_loop()
        # No longer than was announced, also if the clock was set back meanwhile.
        left = min(max(left, 0), limits.TOKEN_WARNING_SECONDS)
        self._token_timer = loop.call_later(left, self.end, disconnects.TOKEN_RAN_OUT)

    def _set_ping_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(limits.PING_SECONDS, self._ping)

    def _ping(self) -> None:
        """Ask for a sign of life, and see whether the token is still worth anything."""
        silent_ms = self._endpoint.clock.monotonic_ms() - self._heard_ms
        if silent_ms > limits.SILENT_SECONDS_MAX * 1000:
            self.end(disconnects.KEEPALIVE_LOST)
            return
        self._send_ping()
        self._set_ping_timer()
        self.check_rights()

    def _send_ping(self) -> None:
        frame = twilsock_frames.ping(self._endpoint.random.sid(sids.FRAME))
        self.push(encoded(twilsock_frames.write(frame)))

    def check_rights(self) -> None:
        """End the connection if its key, user, service or account is gone."""
        if self._phase is _Phase.OPEN:
            self._start(self._check_rights())

    async def _check_rights(self) -> None:
        gone = await self._endpoint.why_gone(self.session)
        if gone is not None:
            self.end(gone)

    # --- The end ----------------------------------------------------------------------------

    def end(self, why: Disconnect) -> None:
        """Say why, and close."""
        if self._phase is _Phase.ENDED:
            return
        log.info("connection_ended", why=why.status, code=why.code)
        header = twilsock_frames.close(self._endpoint.random.sid(sids.FRAME), why.said())
        self._socket.reply(twilsock_frames.write(header, why.payload()))
        self._over()
        self._socket.end()

    def _leave(self) -> None:
        """The client has said good-bye."""
        self._over()
        self._socket.end()

    def _over(self) -> None:
        if self._phase is _Phase.ENDED:
            return
        self._phase = _Phase.ENDED
        self.acknowledgements.give_up()
        for timer in (self._timer, self._token_timer):
            if timer is not None:
                timer.cancel()
        self._endpoint.left(self)
        self._socket.outbox.release()
