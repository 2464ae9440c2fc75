"""Requests to the server's object in this process, without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from parlour.http.messages import Request
from parlour.protocol.header_block import HeaderBlock

if TYPE_CHECKING:
    from parlour.http.server import HttpServer

Pairs = list[tuple[bytes, bytes]]


class RecordedResponse(NamedTuple):
    """A complete response."""

    status: int
    headers: Pairs
    body: bytes


class RecordedExchange:
    """A connection double: it has the whole request body, and records the response."""

    can_chunk = True
    is_write_paused = False

    def __init__(self, body: bytes = b"", *, scheme: str = "http", peer: str = "127.0.0.1") -> None:
        """Create the exchange with a complete body."""
        self.scheme = scheme
        self.peer = peer
        self._body = body
        self._status = 0
        self._lines = b""
        self._parts: list[bytes] = []

    async def read_body(self) -> bytes:
        """Return the whole body."""
        return self._body

    async def read_piece(self) -> bytes:
        """Yield the whole body as one chunk."""
        piece, self._body = self._body, b""
        return piece

    def start_response(self, status: int, lines: bytes, body: bytes, *, closes: bool) -> None:
        """Record the response, or its first part."""
        del closes
        self._status, self._lines, self._parts = status, lines, [body]

    def write(self, piece: bytes) -> None:
        """Record a part of the body."""
        self._parts.append(piece)

    async def reserve_buffer(self, size: int) -> None:
        """Do nothing: there is always room."""

    def assign_account(self, account_sid: str, identity: str) -> None:
        """Do nothing: no bytes are counted."""

    async def flush(self) -> None:
        """Do nothing: there is no wait."""

    def finish(self) -> None:
        """Do nothing: no request follows."""

    def abort(self) -> None:
        """Do nothing: there is no connection to abort."""

    def reset(self) -> None:
        """Do nothing, as above."""

    @property
    def answered(self) -> RecordedResponse:
        """Return the recorded response."""
        lines = self._lines.split(b"\r\n")[:-1]
        pairs = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
        return RecordedResponse(self._status, pairs, b"".join(self._parts))


async def send_request(
    server: HttpServer,
    method: str,
    target: str,
    headers: dict[bytes, bytes],
    body: bytes = b"",
    *,
    peer: str = "127.0.0.1",
) -> RecordedResponse:
    """Return the response to one request."""
    exchange = RecordedExchange(body, peer=peer)
    path, _, query = target.partition("?")
    block, endpoint = HeaderBlock(headers), server.routes.find(path, method)
    await server.serve(Request(method, path, query.encode(), block, exchange, endpoint))
    return exchange.answered
