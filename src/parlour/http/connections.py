"""What the HTTP connections of one process share: buffer, clock, caps, and the end of them all."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from parlour.http.connection import Connection
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.http.server import Server
    from parlour.vocabulary.clock import Clock


class Connections:
    """Every open HTTP connection, and the sockets that began as one."""

    def __init__(
        self, server: Server, open_socket: Callable[[set[Any]], asyncio.Protocol], clock: Clock
    ) -> None:
        """``open_socket`` makes the protocol of a WebSocket, which joins a set while it is open."""
        self.server = server
        self._open_socket = open_socket
        self._clock = clock
        self.loop = asyncio.get_running_loop()
        self.scratch = memoryview(bytearray(limits.READ_BYTES_MAX))
        """Where bytes are received: they are taken from here before anybody else receives."""
        self.is_stopping = False
        self.now = self.loop.time()
        """The loop's time, as of the last check of the deadlines."""
        self._open: set[Connection] = set()
        self._sockets: set[Any] = set()
        self._emptied: asyncio.Future[None] | None = None
        self._date = b""
        self._starts: dict[int, bytes] = {}
        self._tick()

    def make(self) -> Connection:
        """The protocol of a new connection."""
        return Connection(self)

    def add(self, connection: Connection) -> None:
        """A connection was opened."""
        self._open.add(connection)

    def discard(self, connection: Connection) -> None:
        """A connection is over, or another protocol's."""
        self._open.discard(connection)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)

    def make_socket(self) -> asyncio.Protocol:
        """The protocol of a connection that becomes a WebSocket."""
        return self._open_socket(self._sockets)

    def __len__(self) -> int:
        """How many HTTP connections are open."""
        return len(self._open)

    def _tick(self) -> None:
        """Check every deadline: one timer for all, however many requests there are."""
        seconds = limits.DEADLINE_CHECK_MS / 1000
        self._timer = self.loop.call_later(seconds, self._tick)
        now = self.now = self.loop.time()
        date = formatdate(self._clock.now_ms() // 1000, usegmt=True).encode()
        if date != self._date:
            self._date = date
            self._starts.clear()
        for connection in [each for each in self._open if each.deadline <= now]:
            connection.expire()

    def start_of(self, status: int) -> bytes:
        """The status line of an answer and its date."""
        start = self._starts.get(status)
        if start is None:
            phrase = HTTPStatus(status).phrase.encode()
            start = b"HTTP/1.1 %d %s\r\ndate: %s\r\n" % (status, phrase, self._date)
            self._starts[status] = start
        return start

    async def stop(self) -> None:
        """Let requests in work finish, within the limit; close what is idle at once."""
        self.is_stopping = True
        for socket in list(self._sockets):
            socket.shutdown()
        for connection in list(self._open):
            connection.stop()
        if self._open:
            self._emptied = self.loop.create_future()
            await asyncio.wait((self._emptied,), timeout=limits.DRAIN_SECONDS_MAX)
        for connection in list(self._open):
            connection.abort()
        self._timer.cancel()
