"""A TCP proxy between two processes that injects network faults, in a thread of the tests.

It forwards bytes in both directions until a test injects a fault: connections are cut at once or at
a certain byte, delayed, or their bytes are dropped silently, as when a machine fails without
closing its connections. A dropped connection stays so: only new connections work again.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

CHUNK_BYTES = 65_536
COMMIT = b"COMMIT\0"
"""The bytes of a COMMIT in PostgreSQL's protocol."""


class NetworkFaults:
    """The faults to inject, each with its probability; none at first."""

    def __init__(self) -> None:
        self.cut_chance = 0.0
        """Probability that the connection is cut in the middle of a chunk."""
        self.lost_answer_chance = 0.0
        """Probability of a cut after a COMMIT was forwarded, before its response returns."""
        self.lost_commit_chance = 0.0
        """Probability of a cut before a COMMIT is forwarded."""
        self.delay_seconds = 0.0
        """The maximum delay of each chunk."""
        self.is_black_hole = False
        """Whether all bytes are dropped without closing the connections."""
        self.swallows_answers = False
        """Whether requests still arrive, and responses are dropped."""


class TcpProxy:
    """A port in front of another, with faults between them."""

    def __init__(self, port: int, seed: int = 1) -> None:
        """Create a proxy for a port of 127.0.0.1; ``seed`` makes its random choices repeatable."""
        # It listens from `__enter__` on, but the port is reserved from now on.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.faults = NetworkFaults()
        self.cuts = 0
        """The number of connections cut; cutting all at once counts as one."""
        self._to = port
        self._dice = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._wires: set[_Wire] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        """Start forwarding."""
        self._thread.start()
        listening = asyncio.start_server(self._carry, sock=self._socket, backlog=256)
        self._server = self._call(listening)
        return self

    def __exit__(self, *_: object) -> None:
        """Cut all connections, and stop listening."""
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def in_front_of(self, url: str) -> str:
        """Return the URL of the server behind the proxy, by way of the proxy."""
        parts = urlsplit(url)
        assert parts.port == self._to, url
        return url.replace(f":{parts.port}", f":{self.port}", 1)

    def cut(self) -> None:
        """Cut all open connections now."""
        self._call(self._cut_all())

    def black_hole(self) -> None:
        """Drop all bytes of present and future connections."""
        self._call(self._swallow())

    def heal(self) -> None:
        """Inject no faults into connections that are opened from now on."""
        self.faults = NetworkFaults()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _stop(self) -> None:
        self._server.close()
        while self._wires:  # Ends at once: every socket is closed.
            await self._cut_all()
            await asyncio.sleep(0.01)

    async def _swallow(self) -> None:
        self.faults.is_black_hole = True
        for wire in self._wires:
            wire.is_swallowed = True

    async def _cut_all(self) -> None:
        for wire in tuple(self._wires):
            wire.cut()
        self.cuts += 1
        await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = _Wire(writer, is_swallowed=self.faults.is_black_hole)
        self._wires.add(wire)
        try:
            if wire.is_swallowed:
                await reader.read()
                return
            with suppress(OSError):
                behind, out = await asyncio.open_connection("127.0.0.1", self._to)
                wire.ends.append(out)
                ways = (self._there(wire, reader, out), self._back(wire, behind, writer))
                await asyncio.gather(*ways)
        finally:
            wire.cut()
            self._wires.discard(wire)

    async def _there(
        self, wire: _Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward bytes from client to server."""

        def is_cut(data: bytes) -> bool:
            if not data.endswith(COMMIT):
                return False
            wire.is_answer_lost = self._happens(self.faults.lost_answer_chance)
            return self._happens(self.faults.lost_commit_chance)

        await self._pass(wire, reader, writer, is_cut)

    async def _back(
        self, wire: _Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._pass(wire, reader, writer, lambda _: wire.is_answer_lost, is_back=True)

    async def _pass(
        self,
        wire: _Wire,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        is_cut: Callable[[bytes], bool],
        *,
        is_back: bool = False,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if self.faults.delay_seconds:
                    await asyncio.sleep(self._dice.uniform(0, self.faults.delay_seconds))
                if wire.is_swallowed or (is_back and self.faults.swallows_answers):
                    continue
                if is_cut(data):
                    break
                if self._happens(self.faults.cut_chance):
                    writer.write(data[: self._dice.randrange(len(data))])
                    break
                writer.write(data)
                await writer.drain()
        if not wire.is_swallowed:
            if not writer.is_closing() and data:
                self.cuts += 1
            wire.cut()

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._dice.random() < chance


class _Wire:
    """One connection: both its ends, and its state."""

    def __init__(self, writer: asyncio.StreamWriter, *, is_swallowed: bool) -> None:
        self.ends = [writer]
        self.is_swallowed = is_swallowed
        self.is_answer_lost = False

    def cut(self) -> None:
        """Close both ends; bytes already written still arrive."""
        for end in self.ends:
            end.close()
