"""The memory of one connection while a request is in flight, and after it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from parlour.http.connection import HttpConnection
from parlour.http.messages import ClientDisconnectedError
from parlour.protocol.http_request import RequestReader
from parlour.vocabulary import limits
from tests.unit.http.connection_setup import GET, POST, Collecting, ConnectionSetup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.http.messages import Request

LARGE_BYTES = 256 * 1024


@pytest.mark.parametrize(
    "start", [GET, POST % 5 + b"abcde", POST % 500_000], ids=["get", "post", "long post"]
)
@pytest.mark.parametrize("first_bytes", [0, 1, 60_000, 200_000])
def test_no_more_than_the_limit_is_read_ahead(start: bytes, first_bytes: int) -> None:
    async def run() -> int:
        ended = asyncio.Event()

        async def wait(_: Request) -> None:
            await ended.wait()

        bench = ConnectionSetup(wait)
        following = (GET * (400_000 // len(GET)))[: 2 * LARGE_BYTES]
        taken = bench.receive(start + following[:first_bytes])
        for _ in range(20):
            await asyncio.sleep(0)
            taken += bench.receive(following)
        ended.set()
        await bench.end()
        return taken - len(start)

    assert uvloop.run(run()) <= limits.READ_BYTES_MAX


def test_a_sent_response_is_not_reserved_during_the_next_request() -> None:
    reserved: list[int] = []

    async def run() -> None:
        ended = asyncio.Event()

        async def answer(request: Request) -> None:
            exchange = request.exchange
            if not reserved:
                await exchange.reserve_buffer(LARGE_BYTES)
                reserved.append(bench.pool.used)
                exchange.start_response(200, b"", b"x" * LARGE_BYTES, closes=False)
                exchange.finish()
                return
            reserved.append(bench.pool.used)
            ended.set()

        bench = ConnectionSetup(answer)
        bench.receive(GET + GET)
        await asyncio.wait_for(ended.wait(), 10)
        await bench.end()

    uvloop.run(run())
    assert reserved[0] >= LARGE_BYTES
    assert reserved[1] < limits.UNCOUNTED_BYTES_MAX


def count() -> int:
    """How many connections and readers there are, in use or not."""
    return sum(type(each) in {HttpConnection, RequestReader} for each in gc.get_objects())


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Without garbage collection, which would run late: objects in a cycle survive until then."""
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
def test_a_connection_closed_during_a_request_is_freed_at_once(sent: bytes) -> None:
    async def never(_: Request) -> None:
        raise AssertionError("the request is not whole")

    async def run() -> int:
        before = count()
        bench = ConnectionSetup(never, Collecting)
        assert bench.receive(sent) == len(sent)
        await bench.end()
        del bench
        await asyncio.sleep(0)
        return count() - before

    assert uvloop.run(run()) == 0


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("waits_for", ["body", "piece", "sent"])
def test_a_connection_closed_during_its_work_is_freed_at_once(waits_for: str) -> None:
    async def run() -> int:
        before = count()
        waits = asyncio.Event()

        async def wait(request: Request) -> None:
            exchange: Any = request.exchange
            waits.set()
            with contextlib.suppress(ClientDisconnectedError):
                if waits_for == "body":
                    await exchange.read_body()
                elif waits_for == "piece":
                    await exchange.read_piece()
                else:
                    exchange.start_response(200, b"", b"x", closes=False)
                    exchange.pause_writing()
                    await exchange.flush()
            exchange.finish()

        bench = ConnectionSetup(wait)
        bench.receive(GET if waits_for == "sent" else POST % 900_000)
        await asyncio.wait_for(waits.wait(), 10)
        await asyncio.sleep(0)
        await bench.end()
        del bench
        for _ in range(3):
            await asyncio.sleep(0)
        return count() - before

    assert uvloop.run(run()) == 0
