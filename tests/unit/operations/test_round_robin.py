"""The fair queue: order of service, fairness between accounts and between users, constant time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.operations.round_robin import RoundRobin

Owner = tuple[str, str]

OWNERS = st.tuples(st.sampled_from("ABC"), st.sampled_from("xyz"))
# A push of this owner, or a pop.
STEPS = st.lists(st.one_of(OWNERS, st.none()), max_size=60)


def drained(queue: RoundRobin[str]) -> list[str]:
    return [queue.pop() for _ in range(queue.size)]


def test_accounts_alternate_regardless_of_their_item_counts() -> None:
    queue: RoundRobin[str] = RoundRobin()
    for number in range(3):
        queue.push("A", "x", f"A{number}")
    queue.push("B", "x", "B0")
    queue.push("C", "x", "C0")
    assert drained(queue) == ["A0", "B0", "C0", "A1", "A2"]


def test_users_of_an_account_alternate_regardless_of_their_item_counts() -> None:
    queue: RoundRobin[str] = RoundRobin()
    for number in range(3):
        queue.push("A", "x", f"x{number}")
    queue.push("A", "y", "y0")
    assert drained(queue) == ["x0", "y0", "x1", "x2"]


def test_users_of_a_crowded_account_share_one_turn_of_it() -> None:
    queue: RoundRobin[str] = RoundRobin()
    for identity in "xyz":
        queue.push("A", identity, f"A{identity}")
    queue.push("B", "x", "B0")
    queue.push("B", "x", "B1")
    assert drained(queue) == ["Ax", "B0", "Ay", "B1", "Az"]


def test_an_account_that_returns_is_served_behind_those_that_are_queued() -> None:
    queue: RoundRobin[str] = RoundRobin()
    queue.push("A", "x", "A0")
    queue.push("B", "x", "B0")
    assert queue.pop() == "A0"
    queue.push("A", "x", "A1")
    assert drained(queue) == ["B0", "A1"]


def test_pop_of_an_empty_queue_raises_key_error() -> None:
    queue: RoundRobin[str] = RoundRobin()
    with pytest.raises(KeyError):
        queue.pop()
    assert queue.size == 0


@given(STEPS)
def test_items_are_served_once_in_order_of_their_user_and_counted(
    steps: list[Owner | None],
) -> None:
    queue: RoundRobin[tuple[Owner, int]] = RoundRobin()
    pushed: list[tuple[Owner, int]] = []
    popped: list[tuple[Owner, int]] = []
    for number, owner in enumerate(steps):
        if owner is not None:
            pushed.append((owner, number))
            queue.push(*owner, pushed[-1])
        elif queue.size:
            popped.append(queue.pop())
        assert queue.size == len(pushed) - len(popped)
    popped += [queue.pop() for _ in range(queue.size)]
    assert sorted(popped) == sorted(pushed)
    for owner in {owner for owner, _ in pushed}:
        assert [n for o, n in popped if o == owner] == [n for o, n in pushed if o == owner]


@given(STEPS)
def test_no_peer_is_served_twice_while_another_waits(steps: list[Owner | None]) -> None:
    """Hold both levels to the definition of round-robin.

    ``served`` counts, for each queued party, the services of each peer since the party was queued
    or last served.
    """
    queue: RoundRobin[Owner] = RoundRobin()
    queued: list[Owner] = []
    served: dict[str | Owner, dict[str | Owner, int]] = {}
    for step in [*steps, *[None] * len(steps)]:
        if step is not None:
            queue.push(*step, step)
            queued.append(step)
            for party in (step[0], step):
                served.setdefault(party, {})
        elif queue.size:
            owner = queue.pop()
            queued.remove(owner)
            account = owner[0]
            for party, counts in served.items():
                peer = account if isinstance(party, str) else owner
                is_peer = isinstance(party, str) or party[0] == account
                if is_peer and party != peer:
                    counts[peer] = counts.get(peer, 0) + 1
                    assert counts[peer] <= 1, (party, peer)
            for party in (account, owner):
                del served[party]
            if any(each[0] == account for each in queued):
                served[account] = {}
            if owner in queued:
                served[owner] = {}


def test_a_pop_takes_constant_time_regardless_of_earlier_pops() -> None:
    queue: RoundRobin[int] = RoundRobin()
    for number in range(100_000):
        queue.push(f"A{number}", "x", number)
    begin = time.process_time()
    for number in range(100_000):
        assert queue.pop() == number
    # A scan of the deleted keys at each pop would take minutes.
    assert time.process_time() - begin < 5
