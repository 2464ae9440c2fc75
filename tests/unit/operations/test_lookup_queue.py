"""Turns of addresses that look names up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.operations.lookup_queue import LookupQueue
from parlour.vocabulary import limits


def test_addresses_take_turns() -> None:
    queue = LookupQueue()
    for number in range(100):
        assert queue.add("attacker", f"x{number}")
    assert queue.add("innocent", "mine")
    assert queue.take(2) == ["x0", "mine"]
    assert queue.take(2) == ["x1", "x2"]
    assert queue.take(2) == ["x3", "x4"]


def test_an_address_has_a_few_names_in_a_turn_or_a_share_of_its_backlog() -> None:
    queue = LookupQueue()
    for number in range(10):
        queue.add("a", f"a{number}")
        queue.add("b", f"b{number}")
    assert queue.take(64) == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"]


def test_a_backlog_is_worked_off_within_a_hundred_turns() -> None:
    queue = LookupQueue()
    for number in range(1_000):
        queue.add("a", f"a{number}")
    turns = 0
    while len(queue):
        queue.take(64)
        turns += 1
    assert turns < 100


def test_a_full_queue_has_room_for_who_has_less_than_its_share() -> None:
    queue = LookupQueue(waiting_max=4)
    assert all(queue.add("attacker", str(number)) for number in range(4))
    assert not queue.add("attacker", "one more")
    assert queue.add("attacker", "0"), "It waits already."
    assert queue.add("innocent", "a")
    assert queue.add("innocent", "b")
    assert not queue.add("innocent", "c"), "Its share is two of four."
    assert queue.add("another", "a")
    assert queue.add("last", "a")
    assert not queue.add("too late", "a"), "Twice as many as may wait is the end."
    assert len(queue) == 8


def reads_until(queue: LookupQueue, name: str, peers: list[str]) -> int:
    """How many reads a name waits, while attackers fill the queue again before each one."""
    reads = 0
    while True:
        for number in range(2 * limits.LOGIN_LOOKUPS_WAITING_MAX):
            queue.add(peers[number % len(peers)], f"{reads}-{number}")
        reads += 1
        if name in queue.take(limits.LOGIN_LOOKUP_NAMES_MAX):
            return reads


@pytest.mark.parametrize("attackers", [1, 30, 10_000])
def test_a_login_waits_for_less_than_two_seconds_behind_a_full_queue(attackers: int) -> None:
    queue = LookupQueue()
    number = 0
    while queue.add(f"attacker {number % attackers}", f"x{number}"):
        number += 1
        if len(queue) == limits.LOGIN_LOOKUPS_WAITING_MAX - 1:
            assert queue.add("attacker 0", "right login of the same address")
    queue.add("innocent", "right login")

    peers = [f"attacker {each}" for each in range(attackers)]
    reads = reads_until(queue, "right login of the same address", peers)

    delayed = limits.LOGIN_DELAY_MS_MAX + (reads + 1) * limits.LOGIN_LOOKUP_PAUSE_MS
    assert delayed < 1_900


def test_an_address_with_one_name_is_served_in_the_next_read_before_overdue_ones() -> None:
    queue = LookupQueue()
    for number in range(limits.LOGIN_LOOKUPS_WAITING_MAX):
        queue.add("attacker", f"x{number}")
    for _ in range(limits.LOGIN_LOOKUP_OVERDUE_READS):
        queue.take(4)
    queue.add("innocent", "mine")
    assert "mine" in queue.take(limits.LOGIN_LOOKUP_NAMES_MAX)


ADDED = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), max_size=80)


@given(ADDED, st.integers(1, 12), st.integers(1, 30))
def test_everything_that_was_let_in_comes_out_in_turns(
    added: list[tuple[int, int]], size: int, count: int
) -> None:
    queue = LookupQueue(waiting_max=size)
    waiting: dict[str, set[str]] = {}
    for peer, name in added:
        if queue.add(str(peer), str(name)):
            waiting.setdefault(str(peer), set()).add(str(name))
        assert len(queue) == sum(map(len, waiting.values())) <= 2 * size
    wanted = Counter(name for names in waiting.values() for name in names)
    taken: Counter[str] = Counter()
    while len(queue):
        batch = queue.take(count)
        assert 0 < len(batch) <= count
        assert len(set(batch)) == len(batch)
        taken.update(batch)
    assert taken.keys() == wanted.keys()
    assert all(taken[name] <= wanted[name] for name in wanted)
