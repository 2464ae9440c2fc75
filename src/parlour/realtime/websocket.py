"""One WebSocket on the server's port: handshake, whole messages in, a bounded outbox, the end.

The server software hands the connection over when a client asks for a WebSocket. What WebSockets
are is the library's (without I/O); this is the I/O. Messages are binary or they are not heard.
What is sent to many is encoded once: a server's frames are not masked, so their bytes are the
same for everybody. The outbox is the transport's own buffer: while it is over its high mark the
client is slow, and one that stays so, or lets too much news pile up, is sent away.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from websockets.exceptions import ProtocolError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from parlour.realtime.wire import cut, encoded, message_in
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

PATH: Final = "/v3/wsconnect"


class Receiver(Protocol):
    """Whoever speaks through a socket."""

    def received(self, message: bytes) -> None:
        """Take one whole message."""
        ...

    def is_slow(self) -> None:
        """End the connection: the client takes what it is sent too slowly."""
        ...

    def stopping(self) -> None:
        """End the connection: the server stops."""
        ...

    def lost(self) -> None:
        """The connection is gone."""
        ...


class Socket(asyncio.Protocol):
    """The server's end of one WebSocket."""

    def __init__(self, sockets: set[Any], accept: Callable[[Socket], Receiver | None]) -> None:
        """The socket is one of ``sockets`` while it is open.

        ``accept`` gives who speaks through a new socket; None where there is no room.
        """
        self._sockets = sockets
        self._accept = accept
        self._protocol = ServerProtocol(max_size=limits.SOCKET_MESSAGE_BYTES_MAX)
        self._receiver: Receiver | None = None
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._is_binary = False
        self._rest = b""
        self._news_bytes = 0
        self._stalled: asyncio.TimerHandle | None = None
        self._ending: asyncio.TimerHandle | None = None
        self.host = ""
        self.scheme = "http"

    # --- What the event loop calls ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=limits.OUTBOX_HIGH_BYTES)
        self._sockets.add(self)
        if transport.get_extra_info("sslcontext") is not None:
            self.scheme = "https"
        self._end_after(limits.HEAD_SECONDS_MAX)

    def data_received(self, data: bytes) -> None:
        """Take bytes: a handshake, then frames."""
        if self._receiver is None or self._protocol.state is not State.OPEN:
            self._hear(data)
            return
        frames, self._rest = cut(self._rest + data if self._rest else data)
        for frame in frames:
            message = message_in(frame)
            if message is None or self._protocol.state is not State.OPEN:
                self._hear(frame)
            elif self._receiver is not None:
                self._receiver.received(message)

    def _hear(self, data: bytes) -> None:
        """Let the library take what is not a plain message."""
        try:
            self._protocol.receive_data(data)
        except ProtocolError:  # What it makes the library answer is sent below.
            self._parts.clear()
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._shake_hands(event)
            elif isinstance(event, Frame):
                self._take(event)
        self._flush()

    def eof_received(self) -> None:
        """The client says no more; nobody is left to listen."""
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever spoke here, once."""
        del exc
        self._sockets.discard(self)
        for timer in (self._stalled, self._ending):
            if timer is not None:
                timer.cancel()
        self._transport = None
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.lost()

    def pause_writing(self) -> None:
        """The client is slow: give it some time, and count what piles up."""
        loop = asyncio.get_running_loop()
        self._stalled = loop.call_later(limits.STALLED_SECONDS_MAX, self._slow)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._news_bytes = 0
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def shutdown(self) -> None:
        """The server stops."""
        if self._receiver is not None:
            self._receiver.stopping()
        else:
            self.end()

    # --- The handshake and messages ---------------------------------------------------------

    def _shake_hands(self, request: Request) -> None:
        if request.path.partition("?")[0] != PATH:
            self._refuse(self._protocol.reject(404, "There is no WebSocket here.\n"))
            return
        response = self._protocol.accept(request)
        self.host = request.headers.get("Host", "")
        if response.status_code == 101:
            self._receiver = self._accept(self)
            if self._receiver is None:
                response = self._protocol.reject(503, "Too many connections.\n")
        if response.status_code != 101:
            self._refuse(response)
            return
        self._protocol.send_response(response)
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _refuse(self, response: Response) -> None:
        self._protocol.send_response(response)
        self._flush()

    def _take(self, frame: Frame) -> None:
        """One frame: the library has answered pings and closes already."""
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self._is_binary = frame.opcode is Opcode.BINARY
            self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
        else:
            return
        if not frame.fin:
            return
        message = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        if self._is_binary and self._receiver is not None:
            self._receiver.received(message)
        elif not self._is_binary:
            self._protocol.fail(CloseCode.UNSUPPORTED_DATA, "binary messages only")

    def _flush(self) -> None:
        """Send what the library has to say: handshakes, pongs, closes; and follow its end."""
        if self._transport is None:
            return
        for part in self._protocol.data_to_send():
            if part:
                self._transport.write(part)
            else:
                self._close()
        if self._protocol.close_expected():
            self._end_after(limits.SOCKET_CLOSE_SECONDS_MAX)

    # --- What whoever speaks here calls -----------------------------------------------------

    def reply(self, message: bytes) -> None:
        """Send what the client asked for. Asking is what is slowed down, by ``pause``."""
        if self._transport is not None:
            self._transport.write(encoded(message))

    def push(self, wire: bytes) -> None:
        """Send news, encoded already; a client that lets too much of it pile up is slow."""
        transport = self._transport
        if transport is None:
            return
        transport.write(wire)
        if self._stalled is not None:
            self._news_bytes += len(wire)
            if self._news_bytes > limits.OUTBOX_BYTES_MAX:
                self._slow()

    def pause(self) -> None:
        """Take nothing more from the client for now."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Take more again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    @property
    def waiting_bytes(self) -> int:
        """What was written and is not on its way yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def end(self) -> None:
        """Say good-bye as WebSockets do, and close soon, whether that is answered or not."""
        if self._transport is None:
            return
        self.resume()
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
        self._flush()
        self._end_after(limits.SOCKET_CLOSE_SECONDS_MAX)

    def _slow(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        if self._receiver is not None:
            self._receiver.is_slow()

    def _end_after(self, seconds: float) -> None:
        if self._ending is None:
            self._ending = asyncio.get_running_loop().call_later(seconds, self._abort)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._end_after(limits.SOCKET_CLOSE_SECONDS_MAX)

    def _abort(self) -> None:
        """Whatever is still to be sent, nobody waits for it."""
        if self._transport is not None:
            self._transport.abort()
