"""Turns of the input of all sockets, and the rate of a user over all of its sockets."""

from __future__ import annotations

import asyncio
from collections import Counter

from parlour.realtime.input_scheduler import InputLimits, InputScheduler
from parlour.vocabulary import limits

ALICE = ("AC1", "alice")


class Sending:
    """A socket with input for so many turns."""

    def __init__(
        self, scheduler: InputScheduler, owner: tuple[str, str], parts: int, cost: tuple[int, int]
    ) -> None:
        self.owner = owner
        self.is_queued = False
        self.parts = parts
        self._scheduler = scheduler
        self._cost = cost

    def process_input(self) -> tuple[int, int]:
        if not self.parts:
            return 0, 0
        self.parts -= 1
        if self.parts:
            self._scheduler.enqueue(self)
        return self._cost


FRAMES = (limits.SOCKET_TURN_FRAMES, 0)
BYTES = (0, limits.SOCKET_TURN_BYTES)


def left(sockets: list[Sending]) -> int:
    return sum(each.parts for each in sockets)


async def largest_turn(sockets: list[Sending], scheduler: InputScheduler) -> int:
    """How many parts are taken in one turn of the loop at most."""
    before, largest = left(sockets), 0
    for each in sockets:
        scheduler.submit(each)
    while left(sockets):
        largest = max(largest, before - left(sockets))
        before = left(sockets)
        await asyncio.sleep(0)
    return max(largest, before)


def test_all_sockets_together_take_a_bounded_part_in_one_turn() -> None:
    async def scenario() -> None:
        for cost, parts in (
            (FRAMES, limits.SOCKETS_TURN_FRAMES // limits.SOCKET_TURN_FRAMES),
            (BYTES, limits.SOCKETS_TURN_BYTES // limits.SOCKET_TURN_BYTES),
        ):
            scheduler = InputScheduler()
            sockets = [Sending(scheduler, ALICE, 5, cost) for _ in range(40)]
            assert await largest_turn(sockets, scheduler) == parts

    asyncio.run(scenario())


def test_one_socket_takes_one_part_in_a_turn() -> None:
    async def scenario() -> None:
        scheduler = InputScheduler()
        assert await largest_turn([Sending(scheduler, ALICE, 5, FRAMES)], scheduler) == 1

    asyncio.run(scenario())


def test_sockets_of_a_busy_user_alternate_with_others() -> None:
    async def scenario() -> None:
        scheduler = InputScheduler()
        many = [Sending(scheduler, ALICE, 100, BYTES) for _ in range(100)]
        for each in many:
            scheduler.submit(each)
        await asyncio.sleep(0)
        others = [
            Sending(scheduler, owner, 2, BYTES) for owner in (("AC1", "bob"), ("AC2", "carol"))
        ]
        for each in others:
            scheduler.submit(each)
            assert each.is_queued
        for _ in range(4):
            await asyncio.sleep(0)
        assert left(others) == 0

    asyncio.run(scenario())


def test_the_sockets_of_a_user_take_turns() -> None:
    async def scenario() -> None:
        scheduler = InputScheduler()
        sockets = [Sending(scheduler, ALICE, 100, BYTES) for _ in range(10)]
        for each in sockets:
            scheduler.submit(each)
        for _ in range(20):
            await asyncio.sleep(0)
        counts = Counter(each.parts for each in sockets)
        assert max(counts) - min(counts) <= 1

    asyncio.run(scenario())


def test_a_user_has_one_allowance_over_all_its_sockets() -> None:
    inputs = InputLimits()
    first, second = inputs.join(ALICE, 0.0), inputs.join(ALICE, 0.0)
    assert first.spend(limits.USER_BURST_BYTES)
    assert not second.spend(1)
    assert inputs.join(("AC2", "alice"), 0.0).spend(1)
    second.refill(1.0, 0)
    assert first.spend(limits.USER_BYTES_PER_SECOND - 1)
    assert not first.spend(1)


def test_acknowledgements_cost_a_user_nothing() -> None:
    user = InputLimits().join(ALICE, 0.0)
    user.spend(limits.USER_BURST_BYTES)
    for _ in range(100):
        user.refill(0.0, 1000)
        assert user.spend(1000 * limits.ACKNOWLEDGEMENT_BYTES)


def test_a_user_that_comes_back_has_no_new_allowance_until_it_is_full() -> None:
    inputs = InputLimits()
    user = inputs.join(ALICE, 0.0)
    user.spend(limits.USER_BURST_BYTES)
    inputs.leave(user, 0.0)
    again = inputs.join(ALICE, 0.5)
    again.refill(0.5, 0)
    assert not again.spend(limits.USER_BYTES_PER_SECOND)
    inputs.leave(again, 0.5)
    full = limits.USER_BURST_BYTES / limits.USER_BYTES_PER_SECOND
    other = inputs.join(("AC1", "bob"), 0.4 + full)
    assert len(inputs) == 2
    inputs.leave(other, 0.5 + full)
    assert len(inputs) == 1
    assert inputs.join(ALICE, 1.0 + full).spend(limits.USER_BURST_BYTES)
