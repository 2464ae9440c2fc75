"""Attack traffic: floods over HTTP, and WebSocket frames byte by byte."""

from __future__ import annotations

import base64
import itertools
import json
import os
import selectors
import socket
import ssl
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests.support.tls_server import TlsServer
from tests.support.twilsock_client import (
    ReceivedFrame,
    init_header,
    parsed,
    request_header,
    written,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from tests.support.server import Server

TIMEOUT_SECONDS = 20.0
SEND_BYTES = 1 << 16
# A flood stops after this many bytes, however quickly the server reads them.
FLOOD_BYTES_MAX = 64 << 20
ANSWER_BYTES_MAX = 4096
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def connect(server: Server, *, receive_buffer: int | None = None) -> socket.socket:
    """Return a connection to the server; a small receive buffer makes a slow reader."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.settimeout(TIMEOUT_SECONDS)
    made.connect(("127.0.0.1", server.port))
    return made


def connect_for_requests(server: Server, *, receive_buffer: int | None = None) -> socket.socket:
    """Return a connection for HTTP, over TLS if the server uses it."""
    made = connect(server, receive_buffer=receive_buffer)
    if isinstance(server, TlsServer):
        trusting = ssl.create_default_context(cafile=server.authority)
        return trusting.wrap_socket(made, server_hostname="127.0.0.1")
    return made


# --- Floods ----------------------------------------------------------------------------------


@dataclass
class Flood:
    """One connection of a flood."""

    socket: socket.socket
    head: bytes
    repeated: bytes
    sent: int = 0
    received: int = 0
    answer: bytes = b""
    is_closed: bool = False
    _pending: memoryview = field(default_factory=lambda: memoryview(b""))

    def __post_init__(self) -> None:
        self._pending = memoryview(self.head)

    def send(self) -> None:
        """Send as much as the connection accepts without blocking."""
        if not self._pending:
            self._pending = memoryview(self.repeated)
        try:
            count = self.socket.send(self._pending[:SEND_BYTES])
        except WOULD_BLOCK:
            return
        except OSError:
            self.is_closed = True
            return
        self.sent += count
        self._pending = self._pending[count:]

    def receive(self) -> None:
        """Read the bytes that have arrived."""
        try:
            received = self.socket.recv(1 << 18)
        except WOULD_BLOCK:
            return
        except OSError:
            received = b""
        self.received += len(received)
        self.answer += received[: ANSWER_BYTES_MAX - len(self.answer)]
        self.is_closed = not received


def flood(
    server: Server,
    *,
    repeated: bytes,
    seconds: float,
    head: bytes = b"",
    connections: int = 1,
    reads: bool = True,
) -> list[Flood]:
    """Send ``head`` once, then ``repeated`` until the time is up or all connections are closed.

    Responses are read and dropped, except their first bytes; ``reads=False`` leaves them unread.
    The connections are closed at the end.
    """
    floods = [Flood(connect_for_requests(server), head, repeated) for _ in range(connections)]
    events = selectors.EVENT_WRITE | (selectors.EVENT_READ if reads else 0)
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for each in floods:
            each.socket.setblocking(False)
            selector.register(each.socket, events, each)
        while selector.get_map() and time.monotonic() < deadline:
            if sum(each.sent for each in floods) > FLOOD_BYTES_MAX:
                break
            for key, ready in selector.select(0.05):
                if ready & selectors.EVENT_READ:
                    key.data.receive()
                if ready & selectors.EVENT_WRITE and not key.data.is_closed:
                    key.data.send()
                if key.data.is_closed:
                    selector.unregister(key.fileobj)
    for each in floods:
        each.socket.close()
    return floods


def request_in_turn(
    server: Server,
    requests: Sequence[bytes],
    *,
    seconds: float,
    connections: int,
    stop: threading.Event | None = None,
) -> Counter[str]:
    """Send the next request on each connection after its last response; count the statuses.

    All connections take their requests from one shared sequence. A connection that the server
    closes is opened again. ``stop`` ends the loop before the time is up.
    """
    statuses: Counter[str] = Counter()
    following = itertools.cycle(requests)
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            made = connect(server)
            made.sendall(next(following))
            selector.register(made, selectors.EVENT_READ)
        while time.monotonic() < deadline and not (stop and stop.is_set()):
            for key, _ in selector.select(0.05):
                asking = key.fileobj
                assert isinstance(asking, socket.socket)
                # A response to such a request is small: one `recv` returns all of it.
                answer = asking.recv(1 << 16)
                statuses[answer.split(b" ", 2)[1].decode() if answer else "closed"] += 1
                if not answer:
                    selector.unregister(asking)
                    asking.close()
                    asking = connect(server)
                    selector.register(asking, selectors.EVENT_READ)
                asking.sendall(next(following))
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    return statuses


# --- WebSocket -------------------------------------------------------------------------------

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class WebSocketClosedError(Exception):
    """The server closed the WebSocket, with this close code or without one."""

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


def ws_frame(payload: bytes = b"", opcode: int = BINARY, *, is_final: bool = True) -> bytes:
    """Return one masked client frame. The mask is zero, so the payload is sent unchanged."""
    first = (0x80 if is_final else 0) | opcode
    if len(payload) < 126:
        head = struct.pack("!BB", first, 0x80 | len(payload))
    elif len(payload) < 1 << 16:
        head = struct.pack("!BBH", first, 0x80 | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(payload))
    return head + bytes(4) + payload


class RawSocket:
    """A connection to the realtime endpoint on which a test controls every byte."""

    def __init__(self, server: Server, *, receive_buffer: int | None = None) -> None:
        """Connect and do the WebSocket handshake."""
        self.socket = connect(server, receive_buffer=receive_buffer)
        self._buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            (
                f"GET /v3/wsconnect HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        assert head.split(b" ")[1] == b"101", head

    def __enter__(self) -> Self:
        """Return the open connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection without a close frame."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes unchanged."""
        self.socket.sendall(data)

    def receive(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame. Raises WebSocketClosedError."""
        first, size = self._take(2)
        size &= 0x7F
        if size >= 126:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        payload = self._take(size)
        if first & 0x0F == CLOSE:
            code = int.from_bytes(payload[:2], "big") if payload else None
            raise WebSocketClosedError(code, payload[2:].decode())
        return first & 0x0F, payload

    def frames(self) -> Iterator[ReceivedFrame]:
        """Yield the twilsock frames of the server until it closes the WebSocket."""
        while True:
            opcode, payload = self.receive()
            if opcode == BINARY:
                yield parsed(payload)

    def init(self, token: str) -> ReceivedFrame:
        """Send init and return the reply, which must be a success."""
        self.send(ws_frame(written({"id": "TM1", **init_header(token)})))
        reply = next(frame for frame in self.frames() if frame.method == "reply")
        assert reply.header["status"]["code"] == 200, reply
        return reply

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _fill(self) -> None:
        try:
            received = self.socket.recv(1 << 18)
        except ConnectionResetError:
            received = b""
        if not received:
            raise WebSocketClosedError(None)
        self._buffer += received


def request_frame(
    method: str, path: str, body: Any = None, params: dict[str, Any] | None = None
) -> bytes:
    """Return the WebSocket frame of one request through the tunnel."""
    header = {"id": "TM2", **request_header(method, path, params)}
    return ws_frame(written(header, b"" if body is None else json.dumps(body).encode()))
