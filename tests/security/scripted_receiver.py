"""A scripted receiver on loopback, and requests to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.egress.client import (
    Egress,
    EgressFailed,
    EgressPolicy,
    OutboundRequest,
    OutboundResponse,
)
from parlour.protocol.signatures import prepare_url

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from typing import Self

NEARBY = EgressPolicy(allow_private=True)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ScriptedReceiver:
    """A server on loopback with a script: the action for the n-th request."""

    def __init__(
        self,
        *script: bytes | Callable[[asyncio.StreamWriter], Awaitable[None]],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script = script
        self.tls = tls
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self.writers:
            writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while not writer.is_closing():
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
        self.bodies.append(await reader.readexactly(int(fields.get("Content-Length", "0"))))
        self.heads.append(head)
        step = self.script[min(len(self.heads), len(self.script)) - 1]
        if isinstance(step, bytes):
            writer.write(step)
        else:
            await step(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


def then_close(answer: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def step(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    return step


async def post(egress: Egress, url: str, **changes: Any) -> OutboundResponse:
    values: dict[str, Any] = {"method": "POST", "headers": {}, "body": b"a=b", "timeout_ms": 3000}
    return await egress.send(OutboundRequest(url=prepare_url(url), **(values | changes)))


def send_once(run: Any, *script: Any, **changes: Any) -> OutboundResponse:
    """Return a receiver's response to one request, according to this script."""

    async def send_request() -> OutboundResponse:
        async with ScriptedReceiver(*script) as receiver, Egress(NEARBY) as egress:
            return await post(egress, receiver.url, **changes)

    answer: OutboundResponse = run(send_request())
    return answer


def fail_once(run: Any, *script: Any, **changes: Any) -> EgressFailed:
    with pytest.raises(EgressFailed) as caught:
        send_once(run, *script, **changes)
    return caught.value


def sized(size_bytes: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size_bytes + b"x" * size_bytes
