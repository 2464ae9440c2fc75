"""The memory of a connection: counted in the buffers, or below the uncounted minimum."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from parlour.http.connections import ConnectionCaps, HttpConnections
from parlour.operations.buffers import BufferPool
from parlour.protocol.header_block import HeaderBlock
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock
from tests.unit.http.scripted_connection import Script, SlowKernel, WatchedConnection

if TYPE_CHECKING:
    from collections.abc import Callable

UNCOUNTED = limits.UNCOUNTED_BYTES_MAX
LONG = "x" * 7_000
REPEATED = ["X: " + "y" * 300] * 80


def head(method: str, query: str, *headers: str) -> bytes:
    """A long head of a request, as few clients send them."""
    line = f"{method} /{LONG}?{query} HTTP/1.1"
    return "\r\n".join([line, "Host: x", *REPEATED, *headers, "", ""]).encode()


def after(data: bytes, look: Callable[[WatchedConnection, BufferPool], None]) -> None:
    """Inspect a connection after it received some bytes and processed them."""

    async def run() -> None:
        pool = BufferPool(limits.BUFFER_BYTES_MIN, limits.BUFFER_BYTES_MIN // 2)
        server: Any = Script()
        caps = ConnectionCaps(1, 1, 1, lambda _: False)
        shared = HttpConnections(server, lambda _: asyncio.Protocol(), pool, SystemClock(), caps)
        connection = WatchedConnection(shared)
        kernel = SlowKernel(connection)
        connection.connection_made(kernel)
        connection.get_buffer(-1)[: len(data)] = data
        connection.buffer_updated(len(data))
        for _ in range(10):
            await asyncio.sleep(0)
        look(connection, pool)
        kernel.abort()
        server.may_go_on.set()
        for _ in range(10):
            await asyncio.sleep(0)
        assert connection.buffered_bytes() <= UNCOUNTED
        assert not pool.used
        await shared.stop()

    uvloop.run(run())


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (head("GET", "a"), "IDLE"),
        (head("POST", "a", "Content-Length: 100000"), "DRAIN"),
        (head("POST", "closes", "Content-Length: 100000"), "LINGER"),
        (head("GET", "closes") + b"x" * 20_000, "LINGER"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000, "LINGER"),
        (head("GET", "a", "A: " + "x" * limits.HEADER_BYTES_MAX), "LINGER"),
    ],
    ids=["idle", "drained", "lingering", "ahead", "refused amid it", "refused"],
)
def test_no_memory_is_retained_after_a_response(data: bytes, state: str) -> None:
    def look(connection: WatchedConnection, pool: BufferPool) -> None:
        assert connection.state == state
        assert connection.buffered_bytes() <= UNCOUNTED
        assert not pool.used

    after(data, look)


@pytest.mark.parametrize(
    "data",
    [
        head("GET", "waits"),
        head("GET", "waits") + b"x" * 20_000,
        head("POST", "read", "Content-Length: 100000"),
        head("POST", "read", "Content-Length: 100000") + b"x" * 20_000,
        head("POST", "waits", "Transfer-Encoding: chunked"),
    ],
    ids=["get", "ahead", "body", "part of a body", "chunks"],
)
def test_the_head_of_a_request_in_work_is_counted(data: bytes) -> None:
    def look(connection: WatchedConnection, pool: BufferPool) -> None:
        assert connection.state == "ACTIVE"
        buffered = connection.buffered_bytes()
        assert buffered > UNCOUNTED
        assert buffered <= pool.used + UNCOUNTED

    after(data, look)


def test_the_objects_of_many_headers_are_counted() -> None:
    start = b"GET /?waits HTTP/1.1\r\nHost: x\r\n"

    def look(connection: WatchedConnection, pool: BufferPool) -> None:
        del connection
        assert pool.used > 90 * 100

    after(start + b"X:\r\n" * 90, look)
    after(start + b"X:\r\n" * 90 + b"\r\n", look)


def test_a_request_without_room_for_its_body_is_freed_with_its_response() -> None:
    """The exception of its rejection is stored, and must not keep the request alive."""
    gc.collect()
    gc.disable()
    try:
        # The room of all accounts is smaller than what the connection keeps.
        asyncio.run(_refuse_without_room())
        blocks = [each for each in gc.get_objects() if type(each) is HeaderBlock]
        assert not [each for each in blocks if len(each.repeated) > 50]
    finally:
        gc.enable()


async def _refuse_without_room() -> None:
    pool = BufferPool(limits.BUFFER_BYTES_MIN, limits.BUFFER_BYTES_MIN - 10_000)
    server: Any = Script()
    caps = ConnectionCaps(1, 1, 1, lambda _: False)
    shared = HttpConnections(server, lambda _: asyncio.Protocol(), pool, SystemClock(), caps)
    connection = WatchedConnection(shared)
    kernel = SlowKernel(connection)
    connection.connection_made(kernel)
    data = head("POST", "a", "Content-Length: 100000").replace(b"POST /", b"POST /known")
    connection.get_buffer(-1)[: len(data)] = data
    connection.buffer_updated(len(data))
    kernel.abort()
    for _ in range(10):
        await asyncio.sleep(0)
    assert pool.authenticated.refusals == 1
    await shared.stop()
