"""One WebSocket on the server's port: handshake, input, a bounded outbox, close.

The HTTP server passes the connection on when a client requests an upgrade. The protocol is the
library's (without I/O); this module is the I/O. Only binary messages are accepted. A notification
for many clients is encoded once: a server's frames are not masked, so their bytes are identical.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from websockets.exceptions import ProtocolError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from parlour.protocol.forwarded import ForwardingHeaders
from parlour.realtime.inbound import FrameReader, InputBudget
from parlour.realtime.outbox import Outbox
from parlour.realtime.socket_memory import SocketMemory
from parlour.realtime.wire import decode_message, encode_frame
from parlour.vocabulary import limits
from parlour.vocabulary.client_urls import SOCKET_PATH

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.operations.buffers import BufferPool
    from parlour.realtime.input_scheduler import InputLimits, UserByteBucket
    from parlour.realtime.receiver import Receiver, Registry

_HEAD_END: Final = b"\r\n\r\n"
_OPCODE: Final = 0x0F


# A socket is in one of these states; each has its bounds in bytes and in time:
#
# =========  ==================================  =====================================  ============
# state      input                               bounds                                 next
# =========  ==================================  =====================================  ============
# handshake  the head of a request               INIT_BYTES_MAX, HEAD_SECONDS_MAX       open or
#                                                                                       closing
# open       frames, so many per turn of the     before init INIT_BYTES_MAX and         closing
#            event loop (SOCKET_TURN_*, and all  INIT_FRAMES_MAX; then SOCKET_*_PER_
#            sockets SOCKETS_TURN_*); none       SECOND and USER_BYTES_PER_SECOND; the
#            while input is paused               outbox's
# closing    a close frame, or no input from a   SOCKET_CLOSE_SECONDS_MAX               closed
#            client that exceeded its rate
# =========  ==================================  =====================================  ============
#
# Input is paused while the receiver is saturated (too many requests in flight), while the outbox is
# full, and until the next turn once the budget of a turn is used up. Reading from the transport is
# paused then too; the buffered input is one chunk of the event loop's at most.
class WebSocket(asyncio.Protocol):
    """The server's end of one WebSocket."""

    def __init__(
        self,
        registry: Registry,
        accept: Callable[[WebSocket], Receiver | None],
        buffers: BufferPool,
        input_limits: InputLimits,
    ) -> None:
        """``registry`` counts the socket while it is open.

        ``accept`` returns the receiver of a new socket; None if there is no room. The buffers of
        both directions are reserved in ``buffers``. ``input_limits`` is shared by all sockets.
        """
        self._input_limits = input_limits
        self._buffers = buffers
        self._registry = registry
        self._accept = accept
        self._protocol = ServerProtocol(max_size=limits.SOCKET_MESSAGE_BYTES_MAX)
        self._receiver: Receiver | None = None
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._budget = InputBudget(self._loop.time())
        self._head = bytearray()
        self._frames = FrameReader()
        self._fragments: bytearray | None = None
        self._is_binary = False
        self._read_bytes = 0
        """Bytes read since its last turn."""
        self._user_bucket: UserByteBucket | None = None
        self.is_queued = False
        self.owner = ("", "")
        self._is_input_paused = False
        self._discards_input = False
        self._is_reading = True
        self._abort_timer: asyncio.TimerHandle | None = None
        self.host = ""
        self.scheme = "http"
        self.peer = ""
        self.forwarding = ForwardingHeaders()

    # --- Called by the event loop ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over."""
        self._transport = cast("asyncio.Transport", transport)
        self.outbox = Outbox(self._transport, self._on_slow_client, self.update_reservation)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) else ""
        self.owner = ("", self.peer)
        self._reservation = self._buffers.open(self._on_memory_exhausted, identity=self.peer)
        self.memory = SocketMemory(
            self._reservation, self._buffered_bytes, self._on_memory_exhausted
        )
        if transport.get_extra_info("sslcontext") is not None:
            self.scheme = "https"
        self._abort_after(limits.HEAD_SECONDS_MAX)
        # Last, since it may call resume_writing: TLS may still be sending protocol messages.
        self._transport.set_write_buffer_limits(high=limits.OUTBOX_HIGH_BYTES)

    def data_received(self, data: bytes) -> None:
        """Process bytes: a handshake, then frames."""
        if not self._discards_input and not self._spend_bytes(len(data)):
            self._on_rate_exceeded()
        if self._discards_input:
            return
        rest = data if self._head_is_read() else self._read_head(data)
        self._frames.feed(rest)
        self._read_bytes += len(data)
        if self.is_queued:
            self._set_reading(on=False)
        else:
            self._input_limits.scheduler.submit(self)
        if self.is_queued and self._input_bytes() > limits.SOCKET_UNCOUNTED_BYTES:
            self.update_reservation()

    def _spend_bytes(self, size: int) -> bool:
        """Return whether the client, and its user, may send ``size`` bytes."""
        self._refill()
        is_allowed = self._user_bucket is None or self._user_bucket.spend(size)
        return self._budget.spend_bytes(size) and is_allowed

    def _refill(self) -> None:
        now, notified = self._loop.time(), self.outbox.notified
        self.outbox.notified = 0
        self._budget.refill(now, notified)
        if self._user_bucket is not None:
            self._user_bucket.refill(now, notified)

    def _head_is_read(self) -> bool:
        return self._protocol.state is not State.CONNECTING

    def _read_head(self, data: bytes) -> bytes:
        """Process the head of the handshake once it is complete; return the bytes behind it."""
        # Search new bytes only: small chunks would make the work quadratic.
        begin = max(len(self._head) - len(_HEAD_END) + 1, 0)
        self._head += data
        end = self._head.find(_HEAD_END, begin)
        if end < 0:
            return b""
        end += len(_HEAD_END)
        head, rest = bytes(self._head[:end]), bytes(self._head[end:])
        self._head.clear()
        self._feed_library(head)
        return rest

    def process_input(self) -> tuple[int, int]:
        """Process the input up to the budget of a turn; the rest is queued for the next turn.

        Return the cost: in frames, and the bytes read since the last turn.
        """
        self._refill()
        read_bytes, self._read_bytes = self._read_bytes, 0
        frames_left, bytes_left = limits.SOCKET_TURN_FRAMES, limits.SOCKET_TURN_BYTES
        while frames_left > 0 and bytes_left > 0 and not self._is_input_blocked():
            frame = self._frames.next_frame()
            if frame is None:
                break
            bytes_left -= len(frame)
            frames_left -= self._process_frame(frame)
        has_more = (frames_left <= 0 or bytes_left <= 0) and len(self._frames) > 0
        if has_more or read_bytes >= limits.SOCKET_TURN_BYTES:
            self._set_reading(on=False)
            self._schedule_input()
        else:
            self._set_reading(on=not self._is_input_blocked())
        if self._input_bytes() > limits.SOCKET_UNCOUNTED_BYTES:
            self.update_reservation()
        return limits.SOCKET_TURN_FRAMES - frames_left, read_bytes

    def _schedule_input(self) -> None:
        """Queue the socket's input behind the sockets that are queued."""
        if self._transport is not None:
            self._input_limits.scheduler.enqueue(self)

    def _is_input_blocked(self) -> bool:
        if self._discards_input:
            return True
        is_open = self._protocol.state is State.OPEN
        return is_open and (self._is_input_paused or self.outbox.is_full)

    def _process_frame(self, frame: bytes) -> int:
        """Process one frame; return its cost in frames."""
        if self._protocol.state is not State.OPEN or self._receiver is None:
            if frame[0] & _OPCODE == Opcode.CLOSE:
                self._feed_library(frame)
            return 1
        if not self._budget.spend_frame(frame):
            self._on_rate_exceeded()
            return 1
        # A whole message bypasses the library, unless a fragmented one is incomplete: then it is
        # a protocol error, which the library detects.
        message = None if self._fragments is not None else decode_message(frame)
        if message is not None:
            return self._receiver.message_received(message)
        self._feed_library(frame)
        return limits.SOCKET_CONTROL_COST

    def _feed_library(self, data: bytes) -> None:
        """Pass data other than plain messages to the library."""
        try:
            self._protocol.receive_data(data)
        except (ProtocolError, EOFError):  # The library's close frame is sent below.
            self._fragments = None
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._handshake(event)
            elif isinstance(event, Frame):
                self._receive_frame(event)
        self._flush()

    def eof_received(self) -> None:
        """Close: the client has closed its side."""
        # As in the parent class, None lets the event loop close the transport.
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything and notify the receiver, once."""
        del exc
        self._registry.discard(self)
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        self.outbox.release()
        self._drop_input()
        self.memory.connection_lost()
        self._transport = None
        if self._user_bucket is not None:
            self._input_limits.leave(self._user_bucket, self._loop.time())
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.connection_lost()

    def pause_writing(self) -> None:
        """Mark the outbox as full."""
        self.outbox.pause()
        self._set_reading(on=not self._is_input_blocked())

    def resume_writing(self) -> None:
        """Mark the outbox as not full, and continue with the input."""
        self.outbox.resume()
        self._reservation.progress()
        self.update_reservation()
        self._schedule_input()

    def shutdown(self) -> None:
        """Close because the server stops."""
        if self._receiver is not None:
            self._receiver.server_stopping()
        else:
            self.close()

    # --- The handshake and messages ---------------------------------------------------------

    def _handshake(self, request: Request) -> None:
        if request.path.partition("?")[0] != SOCKET_PATH:
            self._refuse(self._protocol.reject(404, "There is no WebSocket here.\n"))
            return
        response = self._protocol.accept(request)
        self.host = request.headers.get("Host", "")
        lines = request.headers.get_all
        self.forwarding = ForwardingHeaders(
            lines("X-Forwarded-For"), lines("X-Forwarded-Proto"), lines("Forwarded")
        )
        if response.status_code == 101:
            self._receiver = self._accept(self)
            if self._receiver is None:
                response = self._protocol.reject(503, "Too many connections.\n")
        if response.status_code != 101:
            self._refuse(response)
            return
        self._protocol.send_response(response)
        if self._abort_timer is not None:
            self._abort_timer.cancel()
            self._abort_timer = None

    def _refuse(self, response: Response) -> None:
        self._protocol.send_response(response)
        self._flush()

    def _receive_frame(self, frame: Frame) -> None:
        """Process a frame of the library, which has replied to pings and closes already."""
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self._is_binary = frame.opcode is Opcode.BINARY
            self._fragments = bytearray(frame.data)
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments += frame.data
        else:
            return
        if not frame.fin:
            return
        message, self._fragments = bytes(self._fragments), None
        if self._is_binary and self._receiver is not None:
            self._receiver.message_received(message)
        elif not self._is_binary:
            self._protocol.fail(CloseCode.UNSUPPORTED_DATA, "binary messages only")

    def _flush(self) -> None:
        """Send the library's output (handshakes, pongs, closes), and follow its close."""
        if self._transport is None:
            return
        for part in self._protocol.data_to_send():
            if part:
                self.outbox.write(part)
            else:
                self._close_transport()
        if self._protocol.close_expected():
            self._abort_after(limits.SOCKET_CLOSE_SECONDS_MAX)

    # --- Called by the receiver --------------------------------------------------

    def accept_init(self, account_sid: str, identity: str) -> None:
        """Start the limits per second: the client is authenticated."""
        self._registry.mark_authenticated(self)
        now = self._loop.time()
        self._budget.accept_init(now)
        self.owner = (account_sid, identity)
        self._user_bucket = self._input_limits.join(self.owner, now)
        if not self._reservation.assign(account_sid, identity):
            self._on_memory_exhausted()

    def reply(self, message: bytes) -> None:
        """Send a reply."""
        if self._transport is not None:
            self.outbox.write(encode_frame(message))

    def push(self, wire: bytes) -> None:
        """Send notifications, encoded already; a client that does not read them becomes slow."""
        if self._transport is not None:
            self.outbox.push(wire)

    def pause_input(self) -> None:
        """Process no more input for now, including bytes that were read already."""
        self._is_input_paused = True
        self._set_reading(on=not self._is_input_blocked())

    def resume_input(self) -> None:
        """Process input again."""
        if self._is_input_paused:
            self._is_input_paused = False
            self._schedule_input()

    def _set_reading(self, *, on: bool) -> None:
        if on is self._is_reading or self._transport is None or self._transport.is_closing():
            return
        self._is_reading = on
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def close(self) -> None:
        """Send a close frame, and abort after a timeout."""
        if self._transport is None:
            return
        self._registry.mark_closing(self)
        self.outbox.release()
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
        self._flush()
        self._abort_after(limits.SOCKET_CLOSE_SECONDS_MAX)
        self._schedule_input()  # The client's close frame may be behind paused input.

    # --- Memory accounting --------------------------------------------------------

    def update_reservation(self) -> None:
        """Reserve the bytes that are buffered now."""
        self.memory.update()

    def _buffered_bytes(self) -> int:
        held = 0 if self._receiver is None else self._receiver.held_bytes()
        return len(self.outbox) + self._input_bytes() + held

    def _input_bytes(self) -> int:
        return len(self._frames) + len(self._head) + len(self._fragments or b"")

    def _on_memory_exhausted(self) -> None:
        """Drop the input and close: the pool has no room for the buffers."""
        self._reservation.close()
        self._drop_input()
        if self._receiver is not None:
            self._receiver.close_slow()
        if self._transport is not None and (
            self._receiver is None or len(self.outbox) > limits.SOCKET_UNCOUNTED_BYTES
        ):
            self.abort()

    def _drop_input(self) -> None:
        self._frames.clear()
        self._head.clear()
        self._fragments = None

    def _on_rate_exceeded(self) -> None:
        """Close with the reason, and stop reading."""
        self._discards_input = True
        self._drop_input()
        self._set_reading(on=False)
        if self._receiver is not None:
            self._receiver.rate_exceeded()
        elif self._protocol.state is not State.CLOSING:
            self.abort()

    def _on_slow_client(self) -> None:
        if self._receiver is not None:
            self._receiver.close_slow()

    def _abort_after(self, seconds: float) -> None:
        if self._abort_timer is None:
            self._abort_timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _close_transport(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._abort_after(limits.SOCKET_CLOSE_SECONDS_MAX)

    @property
    def has_sent_all(self) -> bool:
        """Whether no byte waits to be sent."""
        return self._transport is None or not self._transport.get_write_buffer_size()

    def abort(self) -> None:
        """Close at once, and drop unsent data."""
        if self._transport is not None:
            self._transport.abort()
