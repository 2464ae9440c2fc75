"""What one connection keeps while a request is in work, and after it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from parlour.http.connection import Connection
from parlour.http.connections import Caps, Connections
from parlour.http.messages import GoneError
from parlour.operations.buffers import BufferPool
from parlour.operations.caller import Caller
from parlour.protocol.http_request import RequestReader
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from parlour.http.messages import Request

    Handler = Callable[[Request], Coroutine[Any, Any, None]]

GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
LARGE_BYTES = 256 * 1024


class Room:
    """Room for work, always."""

    has_room = True


class Handled:
    """A server whose requests are served by a function of the test."""

    work = Room()

    def __init__(self, handler: Handler) -> None:
        self.serve = handler

    def recognize(self, request: Request) -> str:
        del request
        return ""

    def collects(self, request: Request) -> bool:
        del request
        return False

    def can_run_at_once(self, request: Request) -> bool:
        del request
        return False

    def must_identify(self, request: Request) -> bool:
        del request
        return False

    def begin(self, request: Request) -> None:
        """Count nothing."""


class Collecting(Handled):
    """A server that knows every login, and so wants bodies whole before anything is done."""

    def recognize(self, request: Request) -> str:
        request.caller = Caller("AC" + "0" * 32, "")
        return request.caller.account_sid

    def collects(self, request: Request) -> bool:
        del request
        return True


class Kernel(asyncio.Transport):
    """A transport whose kernel takes everything, and that knows whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = True
        self.written = bytearray()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It never buffers."""

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing is open."""

    abort = close


class Bench:
    """One connection to a server, without a socket; made in an event loop."""

    def __init__(self, handler: Handler, server_type: type[Handled] = Handled) -> None:
        self.pool = BufferPool(limits.BUFFER_BYTES_MIN, limits.BUFFER_BYTES_MIN // 2)
        caps = Caps(1, 1, 1, lambda _: False)
        server: Any = server_type(handler)
        self.connections = Connections(
            server, lambda _: asyncio.Protocol(), self.pool, SystemClock(), caps
        )
        self.connection = self.connections.make()
        self.kernel = Kernel()
        self.connection.connection_made(self.kernel)

    def receive(self, data: bytes) -> int:
        """Hand bytes over as long as they are read; how many were."""
        taken = 0
        while self.kernel.is_read and taken < len(data):
            buffer = self.connection.get_buffer(-1)
            piece = data[taken : taken + len(buffer)]
            buffer[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))
            taken += len(piece)
        return taken

    async def end(self) -> None:
        self.connection.connection_lost(None)
        await self.connections.stop()


@pytest.mark.parametrize(
    "start", [GET, POST % 5 + b"abcde", POST % 500_000], ids=["get", "post", "long post"]
)
@pytest.mark.parametrize("first_bytes", [0, 1, 60_000, 200_000])
def test_no_more_than_the_limit_is_read_ahead(start: bytes, first_bytes: int) -> None:
    async def run() -> int:
        ended = asyncio.Event()

        async def wait(_: Request) -> None:
            await ended.wait()

        bench = Bench(wait)
        following = (GET * (400_000 // len(GET)))[: 2 * LARGE_BYTES]
        taken = bench.receive(start + following[:first_bytes])
        for _ in range(20):
            await asyncio.sleep(0)
            taken += bench.receive(following)
        ended.set()
        await bench.end()
        return taken - len(start)

    assert uvloop.run(run()) <= limits.READ_BYTES_MAX


def test_an_answer_that_was_sent_is_not_reserved_during_the_next_request() -> None:
    reserved: list[int] = []

    async def run() -> None:
        ended = asyncio.Event()

        async def answer(request: Request) -> None:
            exchange = request.exchange
            if not reserved:
                await exchange.reserve(LARGE_BYTES)
                reserved.append(bench.pool.used)
                exchange.answer(200, b"", b"x" * LARGE_BYTES, closes=False)
                exchange.finish()
                return
            reserved.append(bench.pool.used)
            ended.set()

        bench = Bench(answer)
        bench.receive(GET + GET)
        await asyncio.wait_for(ended.wait(), 10)
        await bench.end()

    uvloop.run(run())
    assert reserved[0] >= LARGE_BYTES
    assert reserved[1] < limits.UNCOUNTED_BYTES_MAX


def count() -> int:
    """How many connections and readers there are, in use or not."""
    return sum(type(each) in {Connection, RequestReader} for each in gc.get_objects())


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No look for cycles, which would come late: what is in one is kept until then."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    "sent",
    [GET[:-2] + b"X: " + b"x" * 20_000, POST % 900_000 + b"x" * 20_000],
    ids=["head", "body"],
)
def test_a_connection_that_ends_amid_a_request_is_freed_at_once(sent: bytes) -> None:
    async def never(_: Request) -> None:
        raise AssertionError("the request is not whole")

    async def run() -> int:
        before = count()
        bench = Bench(never, Collecting)
        assert bench.receive(sent) == len(sent)
        await bench.end()
        del bench
        await asyncio.sleep(0)
        return count() - before

    assert uvloop.run(run()) == 0


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("waits_for", ["body", "piece", "sent"])
def test_a_connection_that_ends_amid_its_work_is_freed_at_once(waits_for: str) -> None:
    async def run() -> int:
        before = count()
        waits = asyncio.Event()

        async def wait(request: Request) -> None:
            exchange: Any = request.exchange
            waits.set()
            with contextlib.suppress(GoneError):
                if waits_for == "body":
                    await exchange.read_body()
                elif waits_for == "piece":
                    await exchange.read_piece()
                else:
                    exchange.answer(200, b"", b"x", closes=False)
                    exchange.pause_writing()
                    await exchange.sent()
            exchange.finish()

        bench = Bench(wait)
        bench.receive(GET if waits_for == "sent" else POST % 900_000)
        await asyncio.wait_for(waits.wait(), 10)
        await asyncio.sleep(0)
        await bench.end()
        del bench
        for _ in range(3):
            await asyncio.sleep(0)
        return count() - before

    assert uvloop.run(run()) == 0
