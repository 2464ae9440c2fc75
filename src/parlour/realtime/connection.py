"""The session of one client: init, requests, token renewal, keepalive and close.

Frames belong to ``protocol/twilsock_frames.py`` and bytes to ``websocket.py``; this module decides.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from parlour.operations.open_work import OpenWork
from parlour.protocol import twilsock_frames
from parlour.protocol.twilsock_frames import Frame
from parlour.realtime import disconnects
from parlour.realtime.acknowledgements import Acknowledgements
from parlour.realtime.hub import HeldNotifications, UserKey
from parlour.realtime.outbox import ConnectionClosed
from parlour.realtime.wire import encode_frame
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import clear_tracebacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.protocol.access_tokens import AccessToken
    from parlour.protocol.twilsock_frames import FrameError
    from parlour.realtime.clock_timers import ClockTimer
    from parlour.realtime.connection_manager import ConnectionManager
    from parlour.realtime.disconnects import Disconnect
    from parlour.realtime.session import Session
    from parlour.realtime.websocket import WebSocket
    from parlour.vocabulary.realtime_objects import ObjectName

log = structlog.get_logger()

# The head of an acknowledgement; one message can cause thousands of them.
_ACKNOWLEDGES = b'"method":"reply"'
_HEAD_BYTES = 160


# ================  =========================================  =====================================
# state             event                                      next
# ================  =========================================  =====================================
# awaiting init     ``init``                                   authenticating
# authenticating    token valid, a connection slot acquired    open: hub, token timer, ping timer
# authenticating    otherwise                                  closed: ``init`` is rejected
# awaiting init,    INIT_SECONDS_MAX elapsed                   closed: INIT_AWAITED
# authenticating
# open              ``message``                                open: a request in flight
# open              ``update`` with a token of the same user   open: token timer restarted
# open              ``update`` otherwise                       closed
# open              token expired, key or user or service or   closed
#                   account revoked, no frame received for
#                   SILENT_SECONDS_MAX, displaced
# any but closed    invalid or unexpected frame, rate limit    closed
#                   exceeded, slow reader, server stopping,
#                   ``close`` frame, connection lost
# closed            any                                        closed: ignored
# ================  =========================================  =====================================
#
# Each close has a reason of ``disconnects.py``, which defines whether the client reconnects.
class _Phase(Enum):
    AWAITING_INIT = "awaiting init"
    AUTHENTICATING = "authenticating"
    OPEN = "open"
    CLOSED = "closed"


class ClientConnection:
    """One client, from its first frame to its last."""

    __slots__ = (
        "_held_replies",
        "_held_replies_bytes",
        "_last_received_ms",
        "_liveness_timer",
        "_manager",
        "_phase",
        "_session",
        "_socket",
        "_tasks",
        "_token_timer",
        "acknowledgements",
        "handled_through",
        "held_notifications",
        "page_lock",
        "subscribed",
        "subscription_lock",
        "user_key",
        "user_sid",
    )

    def __init__(self, socket: WebSocket, manager: ConnectionManager) -> None:
        self._socket = socket
        self._manager = manager
        self._phase = _Phase.AWAITING_INIT
        self._session: Session | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_received_ms = manager.clock.monotonic_ms()
        self.user_key = UserKey("", "", "")
        self.user_sid = ""
        self.subscribed: dict[str, ObjectName] = {}
        self.held_notifications = HeldNotifications(socket.update_reservation)
        self.acknowledgements = Acknowledgements(manager.clock, self._send_ping)
        self.handled_through = 0
        """The last event of which the client is known to have handled every notification."""
        self._held_replies = self._held_replies_bytes = 0
        self.page_lock = asyncio.Lock()
        self.subscription_lock = asyncio.Lock()
        self._token_timer: ClockTimer | None = None
        loop = asyncio.get_running_loop()
        self._liveness_timer: asyncio.TimerHandle | None = loop.call_later(
            limits.INIT_SECONDS_MAX, self.close, disconnects.INIT_AWAITED
        )

    @property
    def socket(self) -> WebSocket:
        """Return the WebSocket of the connection."""
        return self._socket

    @property
    def session(self) -> Session:
        """Return the session. It exists once init was accepted."""
        assert self._session is not None
        return self._session

    def open_work(self) -> Iterator[OpenWork]:
        """Return frames that are not sent, and requests of the client in progress."""
        account_sid, _, identity = self.user_key
        if len(self._socket.outbox):
            yield OpenWork(f"outbox of the connection of {identity}", account_sid)
        if self._tasks:
            yield OpenWork(f"requests of the connection of {identity}", account_sid)

    # --- Called by the WebSocket --------------------------------------------------------------

    def message_received(self, message: bytes) -> int:
        """Process one frame; return its cost."""
        self._last_received_ms = self._manager.clock.monotonic_ms()
        if self._phase is _Phase.OPEN and _ACKNOWLEDGES in message[:_HEAD_BYTES]:
            self.acknowledgements.receive(self._last_received_ms)
            return 1
        if self._phase is _Phase.CLOSED:
            return 1
        return self._dispatch(twilsock_frames.parse(message), len(message))

    def _dispatch(self, frame: Frame | FrameError, size: int) -> int:
        if not isinstance(frame, Frame):
            log.info("frame_rejected", reason=frame.name)
            self.close(disconnects.UNREADABLE)
        elif frame.method == "close":
            self._client_closed()
        elif frame.method == "init" and self._phase is _Phase.AWAITING_INIT:
            self._phase = _Phase.AUTHENTICATING
            self._spawn(self._handle_init(frame), size)
        elif self._phase is _Phase.OPEN and frame.method in {"message", "update"}:
            if self._manager.faults is not None and self._manager.faults.on_message(self, frame):
                return limits.SOCKET_REQUEST_COST
            work = self._handle_request if frame.method == "message" else self._renew_token
            self._spawn(work(frame), size)
            return limits.SOCKET_REQUEST_COST
        elif frame.method in {"put_notification_ctx", "delete_notification_ctx"}:
            self._socket.reply(twilsock_frames.write(twilsock_frames.reply(frame.id)))
        elif self._phase is _Phase.OPEN and frame.method == "reply":
            # An acknowledgement with other JSON whitespace.
            self.acknowledgements.receive(self._last_received_ms)
        elif self._phase is not _Phase.OPEN or frame.method == "init":
            self.close(disconnects.OUT_OF_TURN)
        # Other frames of an open client (telemetry, newer methods) have no reply.
        return limits.SOCKET_CONTROL_COST

    def held_bytes(self) -> int:
        """Return the size of the notifications and replies that are held back."""
        return len(self.held_notifications) + self._held_replies_bytes

    def rate_exceeded(self) -> None:
        """Disconnect: the client exceeds its rate limit."""
        self.close(disconnects.TOO_MANY_FRAMES)

    def close_slow(self) -> None:
        """Disconnect a slow reader."""
        self.close(disconnects.SLOW_CONSUMER)

    def overflow(self) -> None:
        """Disconnect: too many notifications are held back."""
        self.close(disconnects.SLOW_CONSUMER)

    def displace(self) -> None:
        """Disconnect: a user with fewer connections gets its slot."""
        self.close(disconnects.DISPLACED)

    def server_stopping(self) -> None:
        """Disconnect: the client reconnects, to this process or another one."""
        self.close(disconnects.SERVER_STOPPING)

    def connection_lost(self) -> None:
        """Release everything after the transport was closed."""
        self._mark_closed()

    def push(self, wire: bytes, frames: int = 1) -> None:
        """Send ``frames`` notification frames, encoded already."""
        self.acknowledgements.sent += frames
        self._socket.push(wire)

    # --- Work -------------------------------------------------------------------------------

    # Requests run concurrently, and their number and bytes are bounded: while the connection is
    # saturated no input is read (backpressure). Held replies, up to HELD_REPLIES_MAX, do not count
    # as in flight, so that acknowledgements behind them are read. A request's frame is counted
    # until its task ends, even if the client disconnects before.

    def _spawn(self, work: Any, size: int = 0) -> None:
        """Run work in a task. ``size`` is the size of its frame."""
        task = asyncio.get_running_loop().create_task(self._run(work))
        self._tasks.add(task)
        task.add_done_callback(partial(self._task_done, size))
        self._socket.memory.begin_request(size)
        self._pause_if_saturated()

    def _pause_if_saturated(self) -> None:
        if self._is_saturated():
            self._socket.pause_input()
            self.acknowledgements.stop_waiting()

    def _is_saturated(self) -> bool:
        """Whether no input is read until a request ends."""
        return (
            len(self._tasks) - min(self._held_replies, limits.HELD_REPLIES_MAX)
            >= limits.SOCKET_REQUESTS_MAX
            or self._socket.memory.requests_bytes >= limits.SOCKET_REQUESTS_BYTES_MAX
        )

    async def _run(self, work: Any) -> None:
        try:
            await work
        except ConnectionClosed as closed:
            clear_tracebacks(closed)
        except Exception as error:
            log.exception("connection_failed")
            clear_tracebacks(error)
            self.close(disconnects.FAILED)

    def _task_done(self, size: int, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._socket.memory.end_request(size)
        if not self._is_saturated():
            self._socket.resume_input()

    @contextmanager
    def holding_reply(self, size: int) -> Iterator[bool]:
        """Hold back a reply of ``size`` bytes; yield whether it may wait for the client."""
        # While no input is read, no acknowledgement arrives: waiting for one would only time out.
        is_read = not self._is_saturated() and not self._socket.outbox.is_full
        self._held_replies += 1
        self._held_replies_bytes += size
        try:
            if self.held_bytes() > limits.SOCKET_UNCOUNTED_BYTES:
                self._socket.update_reservation()
            if not self._is_saturated():
                self._socket.resume_input()
            yield (
                is_read
                and self._held_replies <= limits.HELD_REPLIES_MAX
                and self._held_replies_bytes <= limits.HELD_REPLIES_BYTES_MAX
            )
        finally:
            self._held_replies -= 1
            self._held_replies_bytes -= size
            self._pause_if_saturated()

    async def _handle_request(self, frame: Frame) -> None:
        await self.drain()  # Backpressure: a client that does not read gets no more replies.
        work = self._manager.tunnel.handle(self, frame)
        del frame  # Free the payload once it is parsed, not at the end of the request.
        await work

    async def drain(self) -> None:
        """Wait until the outbox has room. Raises ConnectionClosed."""
        self.raise_if_closed()
        await self._socket.outbox.drain()

    def raise_if_closed(self) -> None:
        """Raise ConnectionClosed if the connection is closed."""
        if self._phase is _Phase.CLOSED:
            raise ConnectionClosed

    def reply(self, answer: bytes) -> None:
        """Send the reply to a request, unless the connection is closed."""
        if self._phase is _Phase.OPEN:
            self._socket.reply(answer)

    # --- Init and renewal -------------------------------------------------------------------

    async def _handle_init(self, frame: Frame) -> None:
        is_stopping = self._manager.is_stopping
        found: AccessToken | Disconnect
        if is_stopping:
            found = disconnects.SERVER_FULL
        elif sdk := twilsock_frames.unsupported_sdk(frame.header.get("metadata")):
            log.info("client_sdk_rejected", sdk=sdk)
            found = disconnects.SDK_UNSUPPORTED
        else:
            found = await self._manager.verify_token(frame, self._socket)
        if isinstance(found, disconnects.Disconnect):
            self._reject(frame, found)
        elif self._phase is _Phase.AUTHENTICATING:
            await self._accept_init(frame, found)

    async def _accept_init(self, frame: Frame, token: AccessToken) -> None:
        manager = self._manager
        self.user_key = UserKey(token.account_sid, token.service_sid, token.identity)
        # Before any query; a client that disconnects during the next await releases its slot.
        if not manager.socket_shares.acquire(self):
            self._reject(frame, disconnects.TOO_MANY_CONNECTIONS)
            return
        fault = None if manager.faults is None else manager.faults.on_connect(self.user_key)
        if fault is not None and fault.refusal is not None:
            self._reject(frame, fault.refusal)
            return
        session = await manager.open_session(token, self._socket, frame)
        if self._phase is not _Phase.AUTHENTICATING:
            return
        self._session = session
        self.user_sid = session.user_sid
        self._phase = _Phase.OPEN
        self._socket.accept_init(token.account_sid, token.identity)
        manager.hub.add(self)
        self._socket.reply(twilsock_frames.write(manager.init_reply(frame, token)))
        self.set_token_timer()
        self._set_ping_timer()
        if fault is not None:
            fault.act(self)

    def _reject(self, frame: Frame, reason: Disconnect) -> None:
        header = twilsock_frames.reply(frame.id, reason.status_fields())
        payload = reason.payload()
        self._socket.reply(twilsock_frames.write(header, payload))
        self._mark_closed()
        self._socket.close()

    async def _renew_token(self, frame: Frame) -> None:
        """Replace the token by a newer one of the same user."""
        found = await self._manager.verify_token(frame, self._socket)
        if self._phase is not _Phase.OPEN:
            return
        if isinstance(found, disconnects.Disconnect):
            self._reject(frame, found)
            return
        if UserKey(found.account_sid, found.service_sid, found.identity) != self.user_key:
            self.close(disconnects.UPDATE_FORBIDDEN)
            return
        self.session.token = found
        self.set_token_timer()
        self._socket.reply(twilsock_frames.write(twilsock_frames.reply(frame.id)))

    # --- Time -------------------------------------------------------------------------------

    def set_token_timer(self) -> None:
        """Schedule the warning before the token expires."""
        if self._token_timer is not None:
            self._token_timer.cancel()
        self._manager.unrenewed.pop(self, None)
        due_ms = self.session.token.expires_ms - limits.TOKEN_WARNING_SECONDS * 1000
        self._token_timer = self._manager.timers.call_at(due_ms, self._send_expiry_warning)

    def _send_expiry_warning(self) -> None:
        left_ms = limits.TOKEN_WARNING_SECONDS * 1000
        header = twilsock_frames.client_update(
            self._manager.random.sid(sids.FRAME),
            "token_about_to_expire",
            f"Your token is about to expire. Time left: less than {left_ms} ms",
        )
        self.push(encode_frame(twilsock_frames.write(header)))
        clock = self._manager.clock
        self._manager.unrenewed[self] = clock.monotonic_ms()
        # At most the announced time, even if the clock was set back since.
        due_ms = min(self.session.token.expires_ms, clock.now_ms() + left_ms)
        close = partial(self.close, disconnects.TOKEN_RAN_OUT)
        self._token_timer = self._manager.timers.call_at(due_ms, close)

    def _set_ping_timer(self) -> None:
        if self._liveness_timer is not None:
            self._liveness_timer.cancel()
        self._liveness_timer = asyncio.get_running_loop().call_later(
            limits.PING_SECONDS, self._ping
        )

    def _ping(self) -> None:
        """Close a connection without keepalive; else send a ping and check the rights."""
        silent_ms = self._manager.clock.monotonic_ms() - self._last_received_ms
        if silent_ms > limits.SILENT_SECONDS_MAX * 1000:
            self.close(disconnects.KEEPALIVE_LOST)
            return
        self._send_ping()
        self._set_ping_timer()
        self.check_rights()

    def _send_ping(self) -> None:
        frame = twilsock_frames.ping(self._manager.random.sid(sids.FRAME))
        self.push(encode_frame(twilsock_frames.write(frame)))

    def check_rights(self) -> None:
        """Close the connection if its key, user, service or account was revoked."""
        if self._phase is _Phase.OPEN:
            self._spawn(self._check_rights())

    async def _check_rights(self) -> None:
        reason = await self._manager.disconnect_reason(self.session)
        if reason is not None:
            self.close(reason)

    # --- Close ------------------------------------------------------------------------------

    def close(self, reason: Disconnect) -> None:
        """Send the reason and close."""
        if self._phase is _Phase.CLOSED:
            return
        log.info("connection_closed", reason=reason.status, code=reason.code)
        header = twilsock_frames.close(self._manager.random.sid(sids.FRAME), reason.status_fields())
        self._socket.reply(twilsock_frames.write(header, reason.payload()))
        self._mark_closed()
        self._socket.close()

    def _client_closed(self) -> None:
        """Close after the client's close frame."""
        self._mark_closed()
        self._socket.close()

    def _mark_closed(self) -> None:
        if self._phase is _Phase.CLOSED:
            return
        self._phase = _Phase.CLOSED
        # Tasks are not cancelled: a command is one transaction and completes. Work that waits for
        # the outbox, and a replay between two steps, end with ConnectionClosed.
        self.acknowledgements.stop_waiting()
        for timer in (self._liveness_timer, self._token_timer):
            if timer is not None:
                timer.cancel()
        self._manager.connection_closed(self)
        self._socket.outbox.release()
