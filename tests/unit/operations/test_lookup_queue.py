"""The queue of login lookups is fair to addresses, and serves each name in time."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.operations.lookup_queue import LookupQueue
from parlour.vocabulary import limits


def test_names_of_addresses_are_served_round_robin() -> None:
    queue = LookupQueue()
    for number in range(100):
        assert queue.add("attacker", f"x{number}")
    assert queue.add("innocent", "mine")
    assert queue.take(2) == ["x0", "mine"]
    assert queue.take(2) == ["x1", "x2"]
    assert queue.take(2) == ["x3", "x4"]


def test_an_address_gets_a_few_names_per_batch_or_a_share_of_its_backlog() -> None:
    queue = LookupQueue()
    for number in range(10):
        queue.add("a", f"a{number}")
        queue.add("b", f"b{number}")
    assert queue.take(64) == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"]


def test_a_backlog_is_served_within_a_hundred_batches() -> None:
    queue = LookupQueue()
    for number in range(1_000):
        queue.add("a", f"a{number}")
    turns = 0
    while len(queue):
        queue.take(64)
        turns += 1
    assert turns < 100


def test_a_full_queue_accepts_names_of_an_address_below_its_share() -> None:
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
    """The latency of a lookup in reads, while attackers fill the queue before each one."""
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


@pytest.mark.parametrize("guessers", [1_000, limits.UNAUTHENTICATED_CONNECTIONS_MAX - 1])
def test_a_correct_login_behind_guesses_of_all_connections_of_its_address_is_looked_up(
    guessers: int,
) -> None:
    queue = LookupQueue()
    for number in range(guessers):
        assert queue.add("proxy", f"x{number}")
    assert queue.add("proxy", "right login")
    taken: list[str] = []
    reads = served = 0
    while "right login" not in taken:
        taken = queue.take(limits.LOGIN_LOOKUP_NAMES_MAX)
        reads += 1
        served += len(taken)
        # A guesser that got its response guesses again.
        for name in taken:
            assert name == "right login" or queue.add("proxy", f"{name}+")
    assert reads <= limits.LOGIN_LOOKUP_READS_MAX
    # At an even pace: the guesses are not served sooner than they have to be.
    pace = (guessers + 1) / limits.LOGIN_LOOKUP_READS_MAX + 1
    assert served <= reads * max(pace, limits.LOGIN_LOOKUP_NAMES_PER_PEER)


def test_an_address_with_one_name_is_served_in_the_next_batch_before_overdue_names() -> None:
    queue = LookupQueue()
    for number in range(limits.LOGIN_LOOKUPS_WAITING_MAX):
        queue.add("attacker", f"x{number}")
    for _ in range(limits.LOGIN_LOOKUP_READS_MAX):
        queue.take(4)
    queue.add("innocent", "mine")
    assert "mine" in queue.take(limits.LOGIN_LOOKUP_NAMES_MAX)


ADDED = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), max_size=80)


@given(ADDED, st.integers(1, 12), st.integers(1, 30))
def test_every_accepted_name_is_served_round_robin(
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


SMALL_READ = -(-4 * 2 * 40 // (3 * limits.LOGIN_LOOKUP_READS_MAX))
"""Of these names, three quarters are as many as a queue for 40 needs as due places."""
ARRIVALS = st.lists(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 90)), max_size=3), max_size=60
)


@given(ARRIVALS)
def test_every_accepted_name_is_served_within_the_maximum_of_batches(
    arrivals: list[list[tuple[int, int]]],
) -> None:
    queue = LookupQueue(waiting_max=40)
    since: dict[str, int] = {}
    for read in range(len(arrivals) + limits.LOGIN_LOOKUP_READS_MAX):
        for peer, count in arrivals[read] if read < len(arrivals) else ():
            for number in range(count):
                name = f"{peer}-{read}-{number}"
                if queue.add(f"peer {peer}", name):
                    since[name] = read
        for name in queue.take(SMALL_READ):
            assert read - since.pop(name) < limits.LOGIN_LOOKUP_READS_MAX
    assert not since


def test_the_due_slots_of_a_batch_suffice_for_a_full_queue() -> None:
    due_places = limits.LOGIN_LOOKUP_NAMES_MAX - limits.LOGIN_LOOKUP_NAMES_MAX // 4
    assert due_places * limits.LOGIN_LOOKUP_READS_MAX >= 2 * limits.LOGIN_LOOKUPS_WAITING_MAX
    assert limits.LOGIN_LOOKUPS_WAITING_MAX > limits.UNAUTHENTICATED_CONNECTIONS_MAX
