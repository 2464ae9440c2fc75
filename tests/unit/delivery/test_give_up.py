"""Deliveries that end without a request: which ones, their log entries, the next head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.delivery.give_up import drop_oldest, stop_removed
from parlour.protocol.pages import PageRequest
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_attempts.store import AttemptFilters, WebhookAttempt
from parlour.store import webhook_queue
from parlour.store.webhook_queue import DeliveryState
from tests.unit.delivery.database import SCOPE, Database, run_on_database
from tests.unit.delivery.lane_setup import delivery

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def queue(database: Database, *orders: int, lane: int = 1, **changes: Any) -> None:
    for order in orders:
        made = msgspec.structs.replace(delivery(lane, order), **changes)
        await database.write(webhook_queue.add, made)


async def log(database: Database) -> list[WebhookAttempt]:
    """Return the attempts in the log, oldest first."""
    request = PageRequest(page=0, size=50, position=None)
    found = await database.read(
        webhook_attempt_store.list_attempts, SCOPE, AttemptFilters(), request
    )
    return [each.attempt for each in reversed(found)]


async def heads(database: Database) -> list[tuple[int, int]]:
    """Return the lanes and orders of the heads."""
    found = await database.read(webhook_queue.heads, "AC1", "http://h.test/", 9)
    return sorted((lane, order) for lane, _, order in found)


def entry(sid: str, order: int, outcome: str, why: str, now_ms: int) -> WebhookAttempt:
    made = webhook_attempt_store.attempt_of
    found = made(delivery(1, order), sid, outcome, now_ms, error=why)  # type: ignore[arg-type]
    return msgspec.structs.replace(found, retry_count=2)


def test_the_oldest_deliveries_are_dropped_and_each_lane_gets_its_next_head(
    tmp_path: Path,
) -> None:
    async def scenario(database: Database) -> None:
        await queue(database, 1, 4, retry_count=2)
        await queue(database, 2, 5, lane=2)
        await queue(database, 3, lane=3)
        dropped = await database.write(drop_oldest, "AC1", 2)
        assert [(each.lane_order, each.state) for each in dropped] == [
            (1, "dropped"),
            (2, "dropped"),
        ]
        assert await heads(database) == [(1, 4), (2, 5), (3, 3)]
        assert await database.read(webhook_queue.counts) == {"AC1": 3}
        first, second = await log(database)
        why, now_ms = "too many were waiting", database.clock.now_ms()
        assert first == entry(first.sid, 1, "dropped", why, now_ms)
        assert (second.event_sequence, second.retry_count) == (2, 0)

    run_on_database(tmp_path, scenario)


def test_the_deliveries_of_a_removed_webhook_behind_a_retry_are_stopped(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await queue(database, 1, 3, retry_count=2, webhook_sid="WH1")
        await queue(database, 2, webhook_sid="WH2")
        stopped = await database.write(stop_removed, "AC1", 1, "WH1")
        assert [(each.lane_order, each.state) for each in stopped] == [
            (1, "stopped"),
            (3, "stopped"),
        ]
        assert await heads(database) == [(1, 2)]
        first, second = await log(database)
        why, now_ms = "its webhook was removed", database.clock.now_ms()
        assert first == entry(first.sid, 1, "stopped", why, now_ms)
        assert second == entry(second.sid, 3, "stopped", why, now_ms)

    run_on_database(tmp_path, scenario)


def test_without_a_retry_the_deliveries_of_a_removed_webhook_are_still_sent(
    tmp_path: Path,
) -> None:
    async def scenario(database: Database) -> None:
        await queue(database, 1, 2, webhook_sid="WH1")
        assert await database.write(stop_removed, "AC1", 1, "WH1") == []
        assert await heads(database) == [(1, 1)]
        assert await log(database) == []

    run_on_database(tmp_path, scenario)


def test_a_delivery_that_has_ended_gets_no_log_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(database: Database) -> None:
        made = delivery(1, 1)
        await queue(database, 1)
        await database.write(webhook_queue.record_result, made, DeliveryState.DELIVERED, 0, None)

        async def oldest(*_: object) -> list[Any]:
            return [made]

        monkeypatch.setattr(webhook_queue, "oldest", oldest)
        await database.write(drop_oldest, "AC1", 1)
        found = await database.read(webhook_queue.find_delivery, SCOPE, 1, "k")
        assert found.state == "delivered"
        assert await log(database) == []

    run_on_database(tmp_path, scenario)
