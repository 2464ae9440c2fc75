"""The queue of deliveries on a real store: one head for each lane, by every change of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.protocol import retries
from parlour.store import webhook_queue
from parlour.store.webhook_queue import DeliveryState, WebhookDelivery
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope
from tests.unit.delivery.database import SCOPE, Database, run_on_database
from tests.unit.delivery.lane_setup import URL, delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    Play = Callable[[Callable[[Database], Coroutine[Any, Any, None]]], None]

LANE = 1


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a scenario on an empty store."""
    return lambda scenario: run_on_database(tmp_path, scenario)


async def add(database: Database, *made: WebhookDelivery) -> list[tuple[bool, int | None]]:
    return [await database.write(webhook_queue.add, each) for each in made]


async def queue(database: Database, *orders: int, lane: int = LANE, **changes: Any) -> None:
    """Queue deliveries of a lane, due now."""
    for order in orders:
        made = delivery(lane, order, due_ms=database.clock.now_ms())
        await add(database, msgspec.structs.replace(made, **changes))


async def row(database: Database, order: int) -> WebhookDelivery:
    found: WebhookDelivery = await database.read(webhook_queue.find_delivery, SCOPE, order, "k")
    return found


async def record(
    database: Database, order: int, state: DeliveryState, count: int, due_ms: int | None
) -> int:
    made = delivery(LANE, order)
    written: int = await database.write(webhook_queue.record_result, made, state, count, due_ms)
    return written


async def heads(database: Database, url: str = URL, count: int = 9) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = await database.read(webhook_queue.heads, "AC1", url, count)
    return found


async def waiting(database: Database, lane: int = LANE, after: int = -1) -> list[int]:
    found = await database.read(webhook_queue.following, "AC1", lane, after)
    return [each.lane_order for each in found]


# --- Orders -------------------------------------------------------------------------------


def test_orders_are_by_events_then_by_parts_and_reopened_ones_follow() -> None:
    last = limits.DELIVERIES_PER_EVENT_MAX - 1
    orders = [
        webhook_queue.live_order(7, 0),
        webhook_queue.live_order(7, 1),
        webhook_queue.live_order(7, last),
        webhook_queue.reopened_order(7),
        webhook_queue.live_order(8, 0),
    ]
    assert orders == sorted(set(orders))
    for part in (-1, last + 1):
        with pytest.raises(AssertionError):
            webhook_queue.live_order(7, part)


# --- Reads --------------------------------------------------------------------------------


def test_an_event_ends_with_the_last_of_its_deliveries(play: Play) -> None:
    async def scenario(database: Database) -> None:
        async def end(account_sid: str = "AC1") -> int | None:
            found: int | None = await database.read(
                webhook_queue.end_of_event, Scope(account_sid), 1
            )
            return found

        assert await end() is None
        first = delivery(LANE, 1)
        second = msgspec.structs.replace(delivery(2, 1), target_key="other")
        await add(database, first, second, delivery(LANE, 2))
        for each in (first, second):
            assert await end() is None
            database.clock.advance(5)
            await database.write(webhook_queue.record_result, each, DeliveryState.FAILED, 0, None)
        assert await end() == database.clock.now_ms()
        assert await end("AC2") is None

    play(scenario)


# --- Adding -------------------------------------------------------------------------------


def test_the_first_delivery_of_a_lane_is_its_head_and_others_wait(play: Play) -> None:
    async def scenario(database: Database) -> None:
        first, second = delivery(LANE, 1, due_ms=5), delivery(LANE, 2, due_ms=6)
        other = delivery(2, 3, due_ms=7)
        theirs = delivery(LANE, 1, due_ms=8, account="AC2")
        found = await add(database, first, second, other, theirs)
        assert found == [(True, 5), (True, None), (True, 7), (True, 8)]
        assert await row(database, 1) == first
        assert await row(database, 2) == msgspec.structs.replace(second, due_ms=None)
        assert await heads(database) == [(LANE, 5, 1), (2, 7, 3)]

    play(scenario)


def test_a_delivery_that_exists_is_not_added_again(play: Play) -> None:
    async def scenario(database: Database) -> None:
        changed = delivery(LANE, 1, due_ms=9)
        assert await add(database, delivery(LANE, 1), changed) == [(True, 1000), (False, None)]
        assert await row(database, 1) == delivery(LANE, 1)

    play(scenario)


def test_an_inserted_delivery_is_stored_as_it_is(play: Play) -> None:
    async def scenario(database: Database) -> None:
        await queue(database, 1)
        made = msgspec.structs.replace(
            delivery(LANE, 2, due_ms=77), state="asked", webhook_sid="WH1", retry_limit=2
        )
        await database.write(webhook_queue.insert_delivery, made)
        assert await row(database, 2) == made
        assert await database.read(webhook_queue.find_delivery, Scope("AC2"), 2, "k") is None
        assert await database.read(webhook_queue.find_delivery, SCOPE, 2, "other") is None

    play(scenario)


# --- Results ------------------------------------------------------------------------------


def test_a_retry_keeps_the_head_with_its_new_due_time(play: Play) -> None:
    async def scenario(database: Database) -> None:
        await queue(database, 1, 2)
        database.clock.advance(10)
        assert await record(database, 1, DeliveryState.PENDING, 1, 5000) == 1
        found = await row(database, 1)
        assert (found.state, found.retry_count, found.due_ms) == ("pending", 1, 5000)
        assert found.date_updated == database.clock.now_ms()
        assert await heads(database) == [(LANE, 5000, 1)]
        assert not await database.write(webhook_queue.promote, "AC1", LANE)
        assert await heads(database) == [(LANE, 5000, 1)]

    play(scenario)


def test_after_the_end_of_the_head_the_next_delivery_is_promoted(play: Play) -> None:
    async def scenario(database: Database) -> None:
        await queue(database, 2, 3, 1)
        assert await record(database, 2, DeliveryState.DELIVERED, 0, None) == 1
        assert await record(database, 2, DeliveryState.FAILED, 0, None) == 0
        assert (await row(database, 2)).state == "delivered"
        assert await heads(database) == []
        database.clock.advance(10)
        assert await database.write(webhook_queue.promote, "AC1", LANE)
        assert await heads(database) == [(LANE, database.clock.now_ms(), 1)]
        assert not await database.write(webhook_queue.promote, "AC1", 2)
        assert not await database.write(webhook_queue.promote, "AC2", LANE)

    play(scenario)


# --- Due times after the clock was set back -----------------------------------------------


@pytest.mark.parametrize(
    ("retry_count", "updated", "due", "expected"),
    [
        (0, 100, 900, 0),  # A first attempt is due now.
        (0, 0, -5, -5),
        (1, 0, 900, 900),  # A retry within one step keeps its time.
        (1, 500, 900, 400),
        (1, 950, 900, 0),
        (1, 0, retries.STEP_MS_MAX, retries.STEP_MS_MAX),
        (1, 0, retries.STEP_MS_MAX + 1, retries.STEP_MS_MAX),
        (1, 5, retries.STEP_MS_MAX + 1, retries.STEP_MS_MAX - 4),
    ],
)
def test_a_due_time_is_at_most_the_delay_of_its_retry_from_now(
    play: Play, retry_count: int, updated: int, due: int, expected: int
) -> None:
    """All times are relative to the clock, which was set back."""

    async def scenario(database: Database) -> None:
        now = database.clock.now_ms()
        await queue(
            database, 1, retry_count=retry_count, due_ms=now + due, date_updated=now + updated
        )
        changed = await database.write(webhook_queue.cap_due, "AC1")
        assert changed == (due != expected)
        found = await row(database, 1)
        assert found.due_ms == now + expected
        assert found.date_updated == (now if changed else now + updated)
        assert await database.write(webhook_queue.cap_due, "AC2") == 0

    play(scenario)


# --- Replays ------------------------------------------------------------------------------


async def reopen(database: Database, order: int) -> bool:
    found: bool = await database.write(webhook_queue.reopen, SCOPE, await row(database, order))
    return found


def test_a_delivery_that_ended_is_reopened_behind_the_others(play: Play) -> None:
    async def scenario(database: Database) -> None:
        event = await database.emit("roleChanged", {})
        await queue(database, 1)
        await record(database, 1, DeliveryState.FAILED, 3, None)
        database.clock.advance(10)
        assert await reopen(database, 1)
        now = database.clock.now_ms()
        found = await row(database, 1)
        assert (found.state, found.retry_count, found.due_ms) == ("pending", 0, now)
        assert (found.date_queued, found.date_updated) == (now, now)
        assert found.lane_order == webhook_queue.reopened_order(event.sequence)
        await queue(database, 2)
        await record(database, 2, DeliveryState.STOPPED, 0, None)
        assert await reopen(database, 2)
        last = await row(database, 2)
        assert (last.lane_order, last.due_ms) == (found.lane_order + 1, None)

    play(scenario)


def test_a_result_of_before_a_replay_does_not_end_the_replayed_delivery(play: Play) -> None:
    async def scenario(database: Database) -> None:
        await database.emit("roleChanged", {})
        await queue(database, 1)
        await record(database, 1, DeliveryState.DELIVERED, 0, None)
        assert await reopen(database, 1)
        # The result is written again, because its first commit was unknown.
        assert await record(database, 1, DeliveryState.DELIVERED, 0, None) == 0
        assert (await row(database, 1)).state == "pending"

    play(scenario)


def test_behind_earlier_deliveries_the_order_is_that_of_the_log(play: Play) -> None:
    async def scenario(database: Database) -> None:
        event = await database.emit("roleChanged", {})
        await queue(database, 1, 2)
        await record(database, 1, DeliveryState.FAILED, 3, None)
        assert await reopen(database, 1)
        found = await row(database, 1)
        assert found.lane_order == webhook_queue.reopened_order(event.sequence)
        assert found.due_ms is None

    play(scenario)


@pytest.mark.parametrize(("due", "expected"), [(900, 0), (-900, -900)])
def test_a_pending_delivery_becomes_due_now_at_the_latest(
    play: Play, due: int, expected: int
) -> None:
    async def scenario(database: Database) -> None:
        now = database.clock.now_ms()
        await queue(database, 1, due_ms=now + due, retry_count=2)
        assert await reopen(database, 1)
        found = await row(database, 1)
        assert (found.due_ms, found.retry_count, found.lane_order) == (now + expected, 2, 1)

    play(scenario)


def test_a_pre_action_request_is_never_reopened(play: Play) -> None:
    async def scenario(database: Database) -> None:
        made = msgspec.structs.replace(delivery(LANE, 1, due_ms=None), state="asked")
        await database.write(webhook_queue.insert_delivery, made)
        assert not await reopen(database, 1)
        assert await row(database, 1) == made

    play(scenario)


# --- Reading ------------------------------------------------------------------------------


def test_the_deliveries_of_a_lane_are_read_in_order_after_one(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(database: Database) -> None:
        await queue(database, 3, 1, 2, 4)
        await queue(database, 5, lane=2)
        await record(database, 2, DeliveryState.DELIVERED, 0, None)
        assert await waiting(database) == [1, 3, 4]
        assert await waiting(database, after=1) == [3, 4]
        monkeypatch.setattr(limits, "LANE_DELIVERIES_MAX", 2)
        assert await waiting(database) == [1, 3]

    play(scenario)


def test_heads_are_read_by_url_soonest_first(play: Play) -> None:
    async def scenario(database: Database) -> None:
        await queue(database, 1, lane=1, due_ms=30)
        await queue(database, 2, lane=2, due_ms=10)
        await queue(database, 3, lane=3, due_ms=20, url="http://other.test/")
        assert await heads(database) == [(2, 10, 2), (1, 30, 1)]
        assert await heads(database, count=1) == [(2, 10, 2)]
        assert await heads(database, "http://other.test/") == [(3, 20, 3)]

    play(scenario)


def test_endpoints_are_the_urls_of_one_account_with_their_first_due_time(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(database: Database) -> None:
        for lane, due_ms, url in ((1, 30, "a"), (2, 10, "a"), (3, 20, "b"), (4, 5, "c")):
            await queue(database, lane, lane=lane, due_ms=due_ms, url=url)
        await queue(database, 9, lane=9, due_ms=1, url="d", account_sid="AC2")
        expected = [("AC1", "a", 10), ("AC1", "b", 20), ("AC1", "c", 5)]
        assert await database.read(webhook_queue.endpoints, ("AC1", "")) == expected
        assert await database.read(webhook_queue.endpoints, ("AC1", "a")) == expected[1:]
        assert await database.read(webhook_queue.endpoints, ("AC2", "d")) == []
        monkeypatch.setattr(limits, "ENDPOINTS_PER_STEP_MAX", 2)
        assert await database.read(webhook_queue.endpoints, ("AC1", "")) == expected[:2]

    play(scenario)


def test_pending_deliveries_are_counted_for_each_account(play: Play) -> None:
    async def scenario(database: Database) -> None:
        assert await database.read(webhook_queue.counts) == {}
        await queue(database, 1, 2)
        await queue(database, 3, account_sid="AC2")
        await record(database, 1, DeliveryState.DROPPED, 0, None)
        assert await database.read(webhook_queue.counts) == {"AC1": 1, "AC2": 1}
        for account_sid, count in (("AC1", 1), ("AC2", 1), ("AC3", 0)):
            assert await database.read(webhook_queue.count_of, account_sid) == count

    play(scenario)


def test_the_oldest_are_the_pending_ones_of_the_first_events(play: Play) -> None:
    async def scenario(database: Database) -> None:
        assert await database.read(webhook_queue.oldest_date, "AC1") is None
        for order in (3, 1, 2):
            await queue(database, order, date_queued=order * 10)
        await record(database, 1, DeliveryState.DELIVERED, 0, None)
        assert await database.read(webhook_queue.oldest_date, "AC1") == 20
        found = await database.read(webhook_queue.oldest, "AC1", 9)
        assert [each.event_sequence for each in found] == [2, 3]
        assert len(await database.read(webhook_queue.oldest, "AC1", 1)) == 1
        assert await database.read(webhook_queue.oldest, "AC2", 9) == []

    play(scenario)


def test_a_lane_is_retrying_if_its_head_has_failed_before(play: Play) -> None:
    async def scenario(database: Database) -> None:
        async def is_retrying() -> bool:
            found: bool = await database.read(webhook_queue.is_retrying, "AC1", LANE)
            return found

        assert not await is_retrying()
        await queue(database, 1)
        await queue(database, 2, retry_count=5)
        assert not await is_retrying()
        await record(database, 1, DeliveryState.PENDING, 1, 9)
        assert await is_retrying()

    play(scenario)


def test_the_deliveries_of_a_removed_webhook_are_those_of_its_lane(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(database: Database) -> None:
        await queue(database, 2, 1, 4, webhook_sid="WH1")
        await queue(database, 3, webhook_sid="WH2")
        await queue(database, 5, lane=2, webhook_sid="WH1")
        await record(database, 4, DeliveryState.DELIVERED, 0, None)

        async def orders() -> list[int]:
            find = webhook_queue.of_removed_webhook
            found = await database.read(find, "AC1", LANE, "WH1")
            return [each.lane_order for each in found]

        assert await orders() == [1, 2]
        monkeypatch.setattr(limits, "DELIVERIES_DROPPED_PER_STEP_MAX", 1)
        assert await orders() == [1]

    play(scenario)


# --- Retention ----------------------------------------------------------------------------


def test_ended_deliveries_are_deleted_oldest_first_and_pending_ones_stay(play: Play) -> None:
    async def scenario(database: Database) -> None:
        assert await database.read(webhook_queue.oldest_ended_date) is None
        await queue(database, 1, 2, 3, 4)
        start_ms = database.clock.now_ms()
        for order in (3, 1, 2):
            await record(database, order, DeliveryState.FAILED, 0, None)
            database.clock.advance(10)
        assert await database.read(webhook_queue.oldest_ended_date) == start_ms
        await database.write(webhook_queue.delete_ended, start_ms + 20, 1)
        assert await database.read(webhook_queue.oldest_ended_date) == start_ms + 10
        await database.write(webhook_queue.delete_ended, start_ms + 20, 9)
        assert [await row(database, order) is not None for order in (1, 2, 3, 4)] == [
            False,
            True,
            False,
            True,
        ]

    play(scenario)
