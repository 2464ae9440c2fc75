"""The order in which waiting requests start."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import uvloop

from parlour.http.request_scheduler import RequestScheduler
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOOD = 20 * limits.STARTED_PER_TURN_MAX


class StartingConnection:
    """A connection that records when its request starts."""

    def __init__(self, name: str, started: list[str]) -> None:
        self.name = name
        self._begun = started

    def run_request(self, request: Any) -> bool:
        del request
        self._begun.append(self.name)
        return True


async def order_of(arrivals: Sequence[tuple[str, str, str]]) -> list[str]:
    """Names of requests (account, user, name) in the order in which they begin."""
    started: list[str] = []
    request: Any = SimpleNamespace(body=b"")
    turns = RequestScheduler(asyncio.get_running_loop(), FakeClock())
    for account_sid, identity, name in arrivals:
        connection: Any = StartingConnection(name, started)
        turns.start(connection, request, account_sid, identity)
    for _ in range(4 * len(arrivals)):  # A turn of the requests is some turns of the loop.
        await asyncio.sleep(0)
    return started


def test_requests_of_users_begin_round_robin_by_account_and_user() -> None:
    flood = [("A", "alice", "flood")] * FLOOD
    own = [("A", "", f"own {number}") for number in range(3)]
    bob = [("A", "bob", "bob")]
    other = [("B", "", "other")]

    started = uvloop.run(order_of([*flood, *own, *bob, *other]))

    # What waits follows the first turn; alice has a place in each round before the others.
    waiting = started[limits.STARTED_PER_TURN_MAX :]
    assert waiting.index("other") <= 1
    assert waiting.index("own 0") <= 3
    assert waiting.index("bob") <= 4
    assert waiting.index("own 2") <= 9
    assert [each for each in started if each.startswith("own")] == ["own 0", "own 1", "own 2"]
    assert started.count("flood") == FLOOD


class BusyConnection(StartingConnection):
    """A connection whose handler starts without being queued, and runs so long."""

    def __init__(self, name: str, started: list[str], clock: FakeClock, ms: int) -> None:
        super().__init__(name, started)
        self._clock = clock
        self._ms = ms

    def run_request(self, request: Any) -> bool:
        self._clock.advance(self._ms)
        return super().run_request(request)


async def started_at_once(ms: int, body_bytes: int = 0) -> tuple[int, int]:
    """How many queued requests of this duration start in the first turn, and in all."""
    started: list[str] = []
    clock = FakeClock()
    turns = RequestScheduler(asyncio.get_running_loop(), clock)
    for number in range(FLOOD):
        connection: Any = BusyConnection(str(number), started, clock, ms)
        request: Any = SimpleNamespace(body=b"x" * body_bytes)
        turns.start(connection, request, "A")
    first = len(started)
    for _ in range(4 * FLOOD):
        await asyncio.sleep(0)
    return first, len(started)


def test_a_turn_ends_when_its_time_budget_is_used() -> None:
    slow_ms = limits.TURN_MS_MAX // 2 + 1
    assert uvloop.run(started_at_once(slow_ms)) == (2, FLOOD)
    assert uvloop.run(started_at_once(0)) == (limits.STARTED_PER_TURN_MAX, FLOOD)


def test_a_long_body_counts_as_several_requests() -> None:
    body_bytes = 7 * limits.BODY_BYTES_PER_START
    assert uvloop.run(started_at_once(0, body_bytes)) == (limits.STARTED_PER_TURN_MAX // 8, FLOOD)


async def turns_between(ms: int) -> int:
    """How many turns of the loop start no queued request after a first one of this duration."""
    started: list[str] = []
    clock = FakeClock()
    turns = RequestScheduler(asyncio.get_running_loop(), clock)
    request: Any = SimpleNamespace(body=b"")
    for number in range(limits.STARTED_PER_TURN_MAX + 1):
        connection: Any = BusyConnection(str(number), started, clock, ms)
        turns.start(connection, request, "A")
    first, passed = len(started), 0
    while len(started) == first:
        await asyncio.sleep(0)
        passed += 1
    return passed


def test_after_a_turn_that_took_long_others_have_some_turns_of_the_loop() -> None:
    rest = uvloop.run(turns_between(limits.TURN_MS_MAX + 1)) - uvloop.run(turns_between(0))
    assert rest == limits.TURNS_AFTER_LONG
