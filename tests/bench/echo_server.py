"""A small server for tests of the load clients: it always sends the same response."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Self


class Answering:
    """A server on loopback that always sends the same response, in a thread."""

    def __init__(
        self, pieces: list[bytes], *, closes: bool = False, stall: tuple[int, float] = (0, 0.0)
    ) -> None:
        """Take the response in chunks, and whether to close after each response.

        ``stall``: at the request of this number the whole server blocks for this many seconds.
        """
        self.pieces = pieces
        self.closes = closes
        self.stall = stall
        self.seen: list[bytes] = []
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over = (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError)
        with contextlib.suppress(*over):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(3) if head.startswith(b"POST") else b""
                self.seen.append(head + body)
                if len(self.seen) == self.stall[0]:
                    time.sleep(self.stall[1])  # noqa: ASYNC251 (blocks the event loop)
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    # The next chunk is sent in a separate packet.
                    await asyncio.sleep(0)
                if self.closes:
                    break
        writer.close()

    async def _listen(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._over.wait()

    def _run(self) -> None:
        asyncio.run(self._listen())

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(5)
        assert not self._thread.is_alive()
