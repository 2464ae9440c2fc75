"""Count a client's round trips to PostgreSQL: a relay that counts requests for a response.

In PostgreSQL's protocol a client waits for the response to a simple query (Q) and to a sequence
that ends in Sync (S). Both are counted as they pass, without a mock of a driver in between.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

_SSL_REQUEST = 80_877_103
_CHUNK_BYTES = 65_536


class RoundTrips:
    """A relay in front of a database, in the event loop of the test."""

    def __init__(self, url: str) -> None:
        """Create a relay for the database with this URL."""
        parts = urlsplit(url)
        assert parts.port is not None, url
        self._behind = parts.port
        self._url = url
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.count = 0

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Return the URL of the database through this relay."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return self._url.replace(f":{self._behind}", f":{port}", 1)

    async def _relay(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        server, to_server = await asyncio.open_connection("127.0.0.1", self._behind)
        try:
            await asyncio.gather(
                self._requests(client, to_server), self._answers(server, to_client)
            )
        finally:
            to_server.close()
            to_client.close()

    async def _requests(self, client: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:  # The startup message has no type; a request for TLS comes before it.
                head = await client.readexactly(8)
                rest = await client.readexactly(int.from_bytes(head[:4]) - 8)
                to.write(head + rest)
                if int.from_bytes(head[4:]) != _SSL_REQUEST:
                    break
            while True:  # Ends with the connection.
                head = await client.readexactly(5)
                body = await client.readexactly(int.from_bytes(head[1:]) - 4)
                self.count += head[:1] in {b"Q", b"S"}
                to.write(head + body)

        to.close()

    @staticmethod
    async def _answers(server: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await server.read(_CHUNK_BYTES):
                to.write(chunk)
        to.close()
