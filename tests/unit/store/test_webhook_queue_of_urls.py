"""The queue of deliveries by URL: its backlog, and a retry of all of its lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.store import webhook_queue
from parlour.store.webhook_queue import DeliveryState, UrlBacklog
from parlour.vocabulary import limits
from parlour.vocabulary.bounded_count import BoundedCount
from tests.unit.delivery.lane_setup import URL
from tests.unit.store.test_webhook_queue import heads, play, queue, record

if TYPE_CHECKING:
    import pytest

    from tests.unit.delivery.database import Database
    from tests.unit.store.test_webhook_queue import Play

__all__ = ["play"]


def test_the_heads_of_a_url_become_due_now_up_to_a_number(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(database: Database) -> None:
        now_ms = database.clock.now_ms()
        for lane, due_ms in ((1, now_ms + 30), (2, now_ms + 10), (3, now_ms - 5)):
            await queue(database, lane, lane=lane, due_ms=due_ms)
        await queue(database, 4, lane=1)
        await queue(database, 5, lane=5, due_ms=now_ms + 50, url="http://other.test/")
        await queue(database, 6, lane=6, due_ms=now_ms + 50, account_sid="AC2")
        monkeypatch.setattr(limits, "LANES_RETRIED_MAX", 1)
        assert await database.write(webhook_queue.make_url_due, "AC1", URL) == 1
        assert await heads(database) == [(3, now_ms - 5, 3), (2, now_ms, 2), (1, now_ms + 30, 1)]
        assert await database.write(webhook_queue.make_url_due, "AC1", URL) == 1
        assert await database.write(webhook_queue.make_url_due, "AC1", URL) == 0
        assert {due_ms for _, due_ms, _ in await heads(database)} == {now_ms - 5, now_ms}
        assert await heads(database, "http://other.test/") == [(5, now_ms + 50, 5)]

    play(scenario)


def test_waiting_urls_are_those_of_the_account_in_order(play: Play) -> None:
    async def scenario(database: Database) -> None:
        assert await database.read(webhook_queue.waiting_urls, "AC1", 9) == []
        for lane, url in ((1, "b"), (2, "a"), (3, "b"), (4, "c")):
            await queue(database, lane, lane=lane, url=url)
        await queue(database, 9, lane=9, url="d", account_sid="AC2")
        await record(database, 4, DeliveryState.DELIVERED, 0, None)
        assert await database.read(webhook_queue.waiting_urls, "AC1", 9) == ["a", "b"]
        assert await database.read(webhook_queue.waiting_urls, "AC1", 1) == ["a"]

    play(scenario)


def test_the_backlog_of_a_url_is_counted_up_to_limits(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(database: Database) -> None:
        assert await database.read(webhook_queue.measure_url, "AC1", URL) == UrlBacklog()
        for lane, due_ms, queued_ms in ((1, 30, 3), (2, 10, 5), (3, 20, 7)):
            await queue(database, lane, lane=lane, due_ms=due_ms, date_queued=queued_ms)
        await queue(database, 4, 5, lane=3)
        await queue(database, 6, lane=6, url="http://other.test/")

        async def measured() -> UrlBacklog:
            found: UrlBacklog = await database.read(webhook_queue.measure_url, "AC1", URL)
            return found

        assert await measured() == UrlBacklog(BoundedCount(5), BoundedCount(3), 10, 3)
        monkeypatch.setattr(limits, "DELIVERIES_COUNTED_MAX", 4)
        assert (await measured()).waiting == BoundedCount(4, at_least=True)
        monkeypatch.setattr(limits, "LANES_COUNTED_MAX", 2)
        found = await measured()
        assert found.lanes == BoundedCount(2, at_least=True)
        assert found.waiting == BoundedCount(4, at_least=True)
        monkeypatch.setattr(limits, "LANES_COUNTED_MAX", 1)
        assert (await measured()).waiting == BoundedCount(1, at_least=True)

    play(scenario)


def test_the_first_urls_of_all_accounts_are_in_order(play: Play) -> None:
    async def scenario(database: Database) -> None:
        assert await database.read(webhook_queue.waiting_endpoints, 9) == []
        for lane, url in ((1, "b"), (2, "a"), (3, "b")):
            await queue(database, lane, lane=lane, url=url)
        await queue(database, 9, lane=9, url="a", account_sid="AC2")
        expected = [("AC1", "a"), ("AC1", "b"), ("AC2", "a")]
        assert await database.read(webhook_queue.waiting_endpoints, 9) == expected
        assert await database.read(webhook_queue.waiting_endpoints, 2) == expected[:2]

    play(scenario)
