"""The bytes read of one connection in one turn of the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
import uvloop

from parlour.http.messages import ClientDisconnectedError
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from tests.unit.http.connection_setup import GET, POST, Collecting, ConnectionSetup, Handled
from tests.virtual_time.virtual_loop import virtual_loop

if TYPE_CHECKING:
    from parlour.http.messages import Request
    from tests.unit.http.connection_setup import Handler

MUCH = b"x" * (4 * limits.READ_BYTES_MAX)
LONG = POST % limits.BODY_BYTES_MAX
CHUNKED = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def answer(request: Request) -> None:
    """Respond without reading the body: the connection continues after it, or must be closed."""
    request.exchange.start_response(
        200, b"content-length: 0\r\n", b"", closes=request.query == b"closes"
    )
    request.exchange.finish()


async def read_pieces(request: Request) -> None:
    """Read the body as it comes."""
    with contextlib.suppress(ClientDisconnectedError):
        while await request.exchange.read_piece():
            pass


@pytest.mark.parametrize(
    ("server_type", "handler", "start"),
    [(Collecting, answer, LONG), (Handled, read_pieces, LONG), (Handled, read_pieces, CHUNKED)],
    ids=["body", "pieces", "chunks"],
)
def test_reading_a_body_is_paused_until_the_next_turn_at_the_limit(
    server_type: type[Handled], handler: Handler, start: bytes
) -> None:
    async def run() -> list[int]:
        bench = ConnectionSetup(handler, server_type)
        assert bench.receive(start) == len(start)
        for _ in range(5):  # Until the request asks for its body.
            await asyncio.sleep(0)
        data = b"%x\r\n" % len(MUCH) + MUCH if start == CHUNKED else MUCH
        taken = []
        for _ in range(3):
            taken.append(bench.receive(data))
            data = data[taken[-1] :]
            assert not bench.kernel.is_read
            turns = 0
            while not bench.kernel.is_read:
                await asyncio.sleep(0)
                turns += 1
                assert turns < 5
        await bench.end()
        return taken

    assert uvloop.run(run()) == 3 * [limits.READ_BYTES_MAX]


@pytest.mark.parametrize(
    "start", [LONG, LONG.replace(b"/x", b"/x?closes")], ids=["drained", "lingering"]
)
def test_reading_an_unwanted_body_is_paused_for_longer(start: bytes) -> None:
    clock = FakeClock()

    async def run() -> None:
        bench = ConnectionSetup(answer)
        assert bench.receive(start) == len(start)
        for _ in range(5):
            await asyncio.sleep(0)
        assert bench.kernel.writes
        for _ in range(3):
            assert bench.receive(MUCH) == limits.READ_BYTES_MAX
            for _ in range(10):
                await asyncio.sleep(0)
            assert not bench.kernel.is_read
            # The virtual clock advances by a millisecond more than requested.
            await asyncio.sleep((limits.UNWANTED_PAUSE_MS - 3) / 1000)
            assert not bench.kernel.is_read
            await asyncio.sleep(0.003)
            assert bench.kernel.is_read
        await bench.end()

    with asyncio.Runner(loop_factory=lambda: virtual_loop(clock)) as runner:
        runner.run(run())


def test_reading_is_not_resumed_with_the_next_turn_while_enough_is_read_ahead() -> None:
    async def run() -> None:
        ended = asyncio.Event()

        async def wait(_: Request) -> None:
            await ended.wait()

        bench = ConnectionSetup(wait)
        assert bench.receive(GET * limits.READ_BYTES_MAX) == limits.READ_BYTES_MAX
        # The first request is in flight, and the bytes read ahead fill the remaining buffer.
        taken = bench.receive(GET)
        for _ in range(5):
            await asyncio.sleep(0)
            taken += bench.receive(GET)
        assert taken <= len(GET)
        assert not bench.kernel.is_read
        ended.set()
        await bench.end()

    uvloop.run(run())
