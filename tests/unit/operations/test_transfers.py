"""Transfers: which one is cut if a slot is requested and none is free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.operations.admission import Owner
from parlour.operations.transfers import Transfer, Transfers
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.errors import ApiError

WINDOW_MS = limits.TRANSFER_WINDOW_MS
FAST = limits.TRANSFER_BYTES_PER_SECOND_CONTESTED * WINDOW_MS // 1000
"""So many bytes in a window are fast enough."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def transfers(clock: FakeClock) -> Transfers:
    return Transfers(clock, in_all_max=6, of_account_max=4)


def fill(transfers: Transfers, *owners: tuple[str, str | None]) -> list[Transfer]:
    return [transfers.enter(*owner) for owner in owners]


def cut(running: list[Transfer]) -> list[int]:
    return [number for number, each in enumerate(running) if each.is_cut]


def refused(transfers: Transfers, account_sid: str, member: str | None = None) -> int:
    with pytest.raises(ApiError) as error:
        transfers.enter(account_sid, member)
    return error.value.status


def test_nothing_is_cut_while_slots_are_free(clock: FakeClock, transfers: Transfers) -> None:
    running = fill(transfers, *[("AC1", "ann")] * 3)
    clock.advance(60_000)
    transfers.enter("AC1", "bob")
    assert cut(running) == []


def test_user_below_its_share_gets_the_slot_of_the_slowest(
    clock: FakeClock, transfers: Transfers
) -> None:
    running = fill(transfers, *[("AC1", "ann")] * 4)
    for number, transfer in enumerate(running):
        transfer.moved(1000 - number)
    clock.advance(WINDOW_MS)
    transfers.enter("AC1", "bob")
    assert cut(running) == [3]


def test_fast_and_new_transfers_are_never_cut(clock: FakeClock, transfers: Transfers) -> None:
    fast = fill(transfers, *[("AC1", "ann")] * 2)
    for transfer in fast:
        transfer.moved(2 * FAST)
    clock.advance(WINDOW_MS)
    new = fill(transfers, *[("AC1", "ann")] * 2)
    clock.advance(WINDOW_MS - 1)
    transfers.enter("AC1", "bob")
    assert cut(fast + new) == []


def test_transfer_that_was_fast_and_stops_is_slow(clock: FakeClock, transfers: Transfers) -> None:
    running = fill(transfers, *[("AC1", "ann")] * 4)
    for transfer in running:
        transfer.moved(100 * FAST)
    for _ in range(3):
        clock.advance(WINDOW_MS)
        for transfer in running:
            transfer.moved(1)
    transfers.enter("AC1", "bob")
    assert len(cut(running)) == 1


@given(st.lists(st.integers(1, 3 * WINDOW_MS // 2), max_size=40))
def test_steady_transfer_never_seems_slower_than_it_is(steps: list[int]) -> None:
    clock = FakeClock()
    transfer = Transfer(Owner("AC1", None), clock)
    for step_ms in steps:
        clock.advance(step_ms)
        transfer.moved(step_ms)
        rate = transfer.bytes_per_second()
        assert rate is None or rate >= 999.9


def test_many_users_within_their_shares_make_room_for_one_more(
    clock: FakeClock, transfers: Transfers
) -> None:
    running = fill(transfers, *[("AC1", f"user {number}") for number in range(4)])
    clock.advance(WINDOW_MS)
    assert refused(transfers, "AC1", "bob") == 429
    assert len(cut(running)) == 1
    transfers.leave(next(each for each in running if each.is_cut))
    transfers.enter("AC1", "bob")


def test_refused_user_over_its_share_cuts_only_its_own(
    clock: FakeClock, transfers: Transfers
) -> None:
    running = fill(transfers, ("AC1", "bob"), *[("AC1", "ann")] * 3)
    for transfer in running[1:]:
        transfer.moved(1000)
    clock.advance(WINDOW_MS)
    assert refused(transfers, "AC1", "ann") == 429
    assert cut(running)
    assert 0 not in cut(running)


def test_full_server_makes_room_for_another_account(clock: FakeClock, transfers: Transfers) -> None:
    running = fill(transfers, *[("AC1", "ann")] * 3, *[("AC2", "ann")] * 3)
    clock.advance(WINDOW_MS)
    assert refused(transfers, "AC1", "ann") == 503
    assert len(cut(running)) == 1
    transfers.enter("AC3", None)
    assert len(cut(running)) == 2
