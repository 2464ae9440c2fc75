"""Programs of Node.js that serve each connection with a separate peer: one process for all.

A program writes its port as the first line of its output, and ends with its input.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.support.nodejs import install_packages, node_command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LINE_BYTES_MAX = 2**26

_running: dict[Path, NodeHost] = {}


class NodeHost:
    """The process of a script, until the tests end."""

    def __init__(self, script: Path) -> None:
        install_packages(script.parent)
        self._process = subprocess.Popen(
            [*node_command(), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        atexit.register(self._stop)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def _stop(self) -> None:
        # The command may be a script that runs Node.js, so no signal would reach it.
        self._process.communicate()


class PeerConnection:
    """A connection to a peer: events of the peer in one direction, commands in the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> dict[str, Any]:
        """Return the next event."""
        line = await self._reader.readline()
        assert line, "the program in Node.js ended"
        event: dict[str, Any] = json.loads(line)
        return event

    async def write(self, command: dict[str, Any]) -> None:
        """Send a command."""
        self._writer.write(json.dumps(command).encode() + b"\n")
        await self._writer.drain()

    async def close(self) -> None:
        """Return once the peer accepts no connection any more."""
        self._writer.write_eof()
        while await self._reader.read(LINE_BYTES_MAX):
            pass
        self._writer.close()
        await self._writer.wait_closed()


@asynccontextmanager
async def connect_peer(script: Path, options: dict[str, Any]) -> AsyncIterator[PeerConnection]:
    """Start a peer with these options in the shared process of a script."""
    host = await asyncio.to_thread(_running_host, script)
    streams = await asyncio.open_connection("127.0.0.1", host.port, limit=LINE_BYTES_MAX)
    connection = PeerConnection(*streams)
    try:
        await connection.write(options)
        yield connection
    finally:
        await connection.close()


def _running_host(script: Path) -> NodeHost:
    """Return the process of a script; a new one if it crashed."""
    host = _running.get(script)
    if host is None or not host.is_alive:
        host = _running[script] = NodeHost(script)
    return host
