"""A round-robin load balancer in front of several nodes, in a separate process.

It behaves as the configurations in deploy/ do, without hiding a fault: no session affinity, a node
that fails its ``/healthz`` check gets no new requests, and a request that a node may have started
is not retried on another. Bytes are forwarded unchanged; only the head of a request that is no
WebSocket gets ``Connection: close``, so that the next request is balanced again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence

HEALTH_EVERY_SECONDS = 0.25
HEALTH_SECONDS_MAX = 2.0
FALLS_MAX = 2
HEAD_BYTES_MAX = 65_536
CHUNK_BYTES = 65_536
END = b"\r\n\r\n"


class Balancer:
    """The balancer's process as a test sees it. It ends when its parent process ends."""

    def __init__(self, port: int) -> None:
        """Prepare a balancer for a port of 127.0.0.1."""
        self.port = port
        self._process: subprocess.Popen[str] | None = None

    def start(self, ports: Sequence[int]) -> None:
        """Start it in front of the nodes on these ports, and wait until it listens."""
        assert self._process is None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.load_balancer", *map(str, (self.port, *ports))],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.taken() == [TakenPort(0, 0)] * len(ports)

    def kill(self) -> None:
        """SIGKILL: from now on connections are refused."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def taken(self) -> list[TakenPort]:
        """Return the number of requests and sockets of each node so far."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("taken\n")
        self._process.stdin.flush()
        return [TakenPort(*each) for each in json.loads(self._process.stdout.readline())]


class TakenPort(NamedTuple):
    """The number of requests and sockets of one node."""

    requests: int
    sockets: int


class _Node:
    """One node and its health."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests = self.sockets = 0
        self._failures = 0

    @property
    def is_up(self) -> bool:
        return self._failures < FALLS_MAX

    def refused(self) -> None:
        self._failures = FALLS_MAX

    async def watch(self) -> None:
        """Check its health periodically."""
        while True:
            await asyncio.sleep(HEALTH_EVERY_SECONDS)
            self._failures = 0 if await self._is_healthy() else self._failures + 1

    async def _is_healthy(self) -> bool:
        try:
            async with asyncio.timeout(HEALTH_SECONDS_MAX):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(b"GET /healthz HTTP/1.1\r\nHost: node\r\nConnection: close" + END)
                    return (await reader.read(CHUNK_BYTES)).startswith(b"HTTP/1.1 200")
                finally:
                    writer.transport.abort()
        except OSError:  # Includes TimeoutError.
            return False


class _Nodes:
    """The nodes in round-robin order."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.nodes = [_Node(port) for port in ports]
        self._waiting = list(self.nodes)

    async def take(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Serve one connection until it closes."""
        try:
            head = await near.readuntil(END)
            is_socket = b"\r\nupgrade:" in head.lower()
            far, ahead = await self._connect(is_socket=is_socket)
            try:
                ahead.write(head if is_socket else _closing(head))
                await _pass_both(near, ahead, far, back)
            finally:
                ahead.transport.abort()
        except (OSError, asyncio.IncompleteReadError):
            back.transport.abort()
        finally:
            back.close()

    async def _connect(
        self, *, is_socket: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to the next node that accepts one."""
        while (node := self._next()) is not None:
            try:
                made = await asyncio.open_connection("127.0.0.1", node.port)
            except OSError:
                node.refused()
                continue
            node.sockets += is_socket
            node.requests += not is_socket
            return made
        raise ConnectionRefusedError

    def _next(self) -> _Node | None:
        """Return the healthy node that was used least recently."""
        for node in self._waiting:
            if node.is_up:
                self._waiting.remove(node)
                self._waiting.append(node)
                return node
        return None


def _closing(head: bytes) -> bytes:
    """Return the head of a request, changed so that the connection closes after it."""
    lines = head.removesuffix(END).split(b"\r\n")
    remaining = [line for line in lines if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*remaining, b"Connection: close"]) + END


async def _pass_both(
    near: asyncio.StreamReader,
    ahead: asyncio.StreamWriter,
    far: asyncio.StreamReader,
    back: asyncio.StreamWriter,
) -> None:
    """Forward bytes in both directions until one side closes."""
    tasks = {asyncio.create_task(_pass(near, ahead)), asyncio.create_task(_pass(far, back))}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for error in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(error, OSError):
            raise error


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK_BYTES):
        sink.write(data)
        await sink.drain()


async def _answer_questions(nodes: _Nodes) -> None:
    """For each line of standard input, print the requests and sockets of each node."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        print(json.dumps([[node.requests, node.sockets] for node in nodes.nodes]), flush=True)


async def _serve(port: int, ports: Sequence[int]) -> None:
    nodes = _Nodes(ports)
    watching = [asyncio.create_task(node.watch()) for node in nodes.nodes]
    server = await asyncio.start_server(
        nodes.take, "127.0.0.1", port, limit=HEAD_BYTES_MAX, backlog=1024
    )
    async with server:
        await _answer_questions(nodes)
    for task in watching:
        task.cancel()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]), [int(text) for text in sys.argv[2:]]))
