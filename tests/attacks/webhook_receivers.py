"""Webhook receivers of an attacker, and one of an innocent account, on loopback."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CHALLENGE: Final = (
    b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n'
    b"Content-Length: 0\r\n\r\n"
)
FOREVER_SECONDS: Final = 600


async def never_respond(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Never respond."""
    await asyncio.sleep(FOREVER_SECONDS)


async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a response byte by byte, with long intervals."""
    for byte in OK[:-2]:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.3)
    await asyncio.sleep(FOREVER_SECONDS)


async def challenge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Demand Digest authentication repeatedly, each time a little later."""
    while True:  # Until the connection closes.
        await asyncio.sleep(2)
        writer.write(CHALLENGE)
        await reader.readuntil(b"\r\n\r\n")


class _Loop(ABC):
    """An event loop in a separate thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers: list[asyncio.Server] = []

    @abstractmethod
    async def _open(self) -> None:
        """Start the servers."""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        await asyncio.sleep(0)  # Connections being accepted have a task then.
        tasks = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class HangingReceiver(_Loop):
    """Hosts whose responses never end, each with a loopback address."""

    def __init__(self, hosts: int, answer: Answer = never_respond) -> None:
        super().__init__()
        self._hosts = hosts
        self._answer = answer
        self._ports: list[int] = []

    async def _open(self) -> None:
        for number in range(self._hosts):
            server = await asyncio.start_server(self._serve, f"127.0.0.{2 + number}", 0)
            self._servers.append(server)
            self._ports.append(server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await self._answer(reader, writer)
        writer.close()

    def url(self, number: int) -> str:
        """Return the URL with this number; neighbours are on different hosts."""
        host = number % self._hosts
        return f"http://127.0.0.{2 + host}:{self._ports[host]}/{number}"


class PromptReceiver(_Loop):
    """A receiver that responds at once, and stores the arrival time of each text, by event."""

    def __init__(self, *, keeps_connections: bool = True) -> None:
        super().__init__()
        self._keeps_connections = keeps_connections
        self.arrived: dict[tuple[str, str], float] = {}
        self.port = 0

    async def _open(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:  # Until the connection closes.
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
                form = parse_qs((await reader.readexactly(int(length or 0))).decode())
                key = form.get("EventType", [""])[0], form.get("Body", [""])[0]
                self.arrived.setdefault(key, time.perf_counter())
                if not self._keeps_connections:
                    writer.write(OK[:-2] + b"Connection: close\r\n\r\n")
                    break
                writer.write(OK)
        writer.close()
