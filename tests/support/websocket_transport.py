"""The server's end of a WebSocket on a transport without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations.buffers import BufferPool
from parlour.realtime.input_scheduler import InputLimits
from parlour.realtime.websocket import WebSocket
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.realtime.receiver import Receiver

HANDSHAKE = (
    b"GET /v3/wsconnect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Transport:
    """Accepts all written bytes at once."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.is_reading = True
        self.is_closed = False

    def get_extra_info(self, name: str) -> Any:
        """Return the address of the client; no TLS."""
        return ("127.0.0.1", 1) if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        """Do nothing: no bytes are buffered."""

    def get_write_buffer_size(self) -> int:
        """Return 0: no bytes are buffered."""
        return 0

    def is_closing(self) -> bool:
        """Return whether the server has closed the connection."""
        return self.is_closed

    def pause_reading(self) -> None:
        """Record that the server stops reading."""
        self.is_reading = False

    def resume_reading(self) -> None:
        """Record that the server reads again."""
        self.is_reading = True

    def write(self, data: bytes) -> None:
        """Send bytes to the server as the client."""
        self.written += data

    def close(self) -> None:
        """Close the connection."""
        self.is_closed = True

    abort = close


class NullRegistry:
    """Metrics that count nothing."""

    def mark_authenticated(self, counted: Any) -> None:
        """The init of a socket was accepted."""

    def mark_closing(self, counted: Any) -> None:
        """A socket is about to be closed."""

    def discard(self, counted: Any) -> None:
        """A socket is closed."""


def opened(accept: Callable[[WebSocket], Receiver | None]) -> tuple[WebSocket, Transport]:
    """Return a WebSocket after its handshake, made in an event loop."""
    buffers = BufferPool(limits.BUFFER_BYTES_MIN, limits.BUFFER_BYTES_MIN // 2)
    socket, transport = WebSocket(NullRegistry(), accept, buffers, InputLimits()), Transport()
    socket.connection_made(transport)  # type: ignore[arg-type]
    socket.data_received(HANDSHAKE)
    assert transport.written.startswith(b"HTTP/1.1 101 ")
    transport.written.clear()
    return socket, transport
