"""Requests while the buffers of the process are full: they are queued, then rejected with 503."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.http.messages import ClientDisconnectedError
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.errors import RETRY_AFTER, ApiError
from tests.unit.http.connection_setup import GET, POST, Collecting, ConnectionSetup
from tests.virtual_time.virtual_loop import virtual_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from parlour.http.messages import Request
    from parlour.operations.buffers import Reservation

ACCOUNT = "AC" + "0" * 32
ROOM = limits.BUFFER_BYTES_MIN // 2
WAIT_SECONDS = limits.BUFFER_WAIT_MS_MAX / 1000


def in_virtual_time(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scene in a loop whose time jumps."""
    loop = virtual_loop(FakeClock())
    loop.run_until_complete(scenario())
    loop.close()


class Refusals:
    """The errors of the requests."""

    def __init__(self, start_reading: Callable[[Request], Awaitable[object]]) -> None:
        self._start_reading = start_reading
        self.met: list[ApiError | None] = []

    async def __call__(self, request: Request) -> None:
        try:
            await self._start_reading(request)
            self.met.append(None)
        except ApiError as error:
            self.met.append(error)
        except ClientDisconnectedError:
            pass
        request.exchange.start_response(200, b"content-length: 0\r\n", b"", closes=True)
        request.exchange.finish()

    def assert_refused(self) -> None:
        """Check that one request was rejected with 503 and a Retry-After."""
        (error,) = self.met
        assert error is not None
        assert (error.status, error.code, error.headers) == (503, 20503, RETRY_AFTER)


async def answer_much(request: Request) -> None:
    """Reserve buffer space for a large response, as the server does for an account's request."""
    request.exchange.assign_account(ACCOUNT, "")
    await request.exchange.reserve_buffer(1_000_000)


def full(bench: ConnectionSetup) -> Reservation:
    """An exchange of the same account that holds all room of the accounts."""
    held = bench.pool.open(lambda: None, ACCOUNT, "")
    assert held.grow(ROOM)
    return held


async def passes(seconds: float, held: Reservation) -> None:
    """Let time pass in which the exchange that holds the room continues."""
    for _ in range(10):
        await asyncio.sleep(seconds / 10)
        held.progress()


@pytest.mark.promise("--buffer-bytes-max", 503)
@pytest.mark.promise("BUFFER_WAIT_MS_MAX", 503)
def test_a_body_without_room_waits_and_is_refused_with_503() -> None:
    async def scenario() -> None:
        handler = Refusals(lambda request: request.exchange.read_body())
        bench = ConnectionSetup(handler, Collecting)
        held = full(bench)
        bench.receive(POST % 500_000)
        bench.receive(b"x" * 100_000)
        await passes(0.9 * WAIT_SECONDS, held)
        assert not handler.met
        await passes(0.2 * WAIT_SECONDS, held)
        handler.assert_refused()
        await bench.end()

    in_virtual_time(scenario)


@pytest.mark.promise("BUFFER_WAITERS_MAX", 503)
def test_a_body_behind_too_many_waiters_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "BUFFER_WAITERS_MAX", 0)

    async def scenario() -> None:
        handler = Refusals(lambda request: request.exchange.read_body())
        bench = ConnectionSetup(handler, Collecting)
        full(bench)
        bench.receive(POST % 500_000)
        bench.receive(b"x" * 100_000)
        for _ in range(20):
            await asyncio.sleep(0)
        handler.assert_refused()
        await bench.end()

    in_virtual_time(scenario)


@pytest.mark.promise("UNRESERVED_ANSWER_BYTES_MAX", 503)
def test_a_large_response_without_room_waits_and_is_rejected_with_503() -> None:
    async def scenario() -> None:
        handler = Refusals(answer_much)
        bench = ConnectionSetup(handler, Collecting)
        held = full(bench)
        bench.receive(GET)
        await passes(0.9 * WAIT_SECONDS, held)
        assert not handler.met
        await passes(0.2 * WAIT_SECONDS, held)
        handler.assert_refused()
        assert not bench.connections.waiting_response_bytes
        await bench.end()

    in_virtual_time(scenario)


@pytest.mark.promise("WAITING_ANSWER_BYTES_MAX", 503)
def test_a_response_beyond_the_waiting_limit_is_rejected_at_once() -> None:
    async def scenario() -> None:
        handler = Refusals(answer_much)
        bench = ConnectionSetup(handler, Collecting)
        full(bench)
        bench.connections.waiting_response_bytes = limits.WAITING_ANSWER_BYTES_MAX - 999_999
        bench.receive(GET)
        for _ in range(20):
            await asyncio.sleep(0)
        handler.assert_refused()
        await bench.end()

    in_virtual_time(scenario)
