"""The due poller: searches find endpoints, polls load their lanes, the clock caps due times."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from parlour.delivery.due_poller import DuePoller
from parlour.store import webhook_queue
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from tests.unit.delivery.lane_setup import ACCOUNT, URL, delivery
from tests.unit.delivery.term_setup import Setup, retry_soon, run, until

if TYPE_CHECKING:
    from parlour.store.webhook_queue import WebhookDelivery


class PendingRows:
    """The pending deliveries on disk, by account, URL and lane."""

    def __init__(self) -> None:
        self.lanes: dict[tuple[str, str, int], list[WebhookDelivery]] = {}
        self.searches: list[tuple[str, str]] = []
        self.capped: list[str] = []
        self.fails_heads: list[Exception] = []

    def add(self, *rows: WebhookDelivery) -> None:
        for row in rows:
            self.lanes.setdefault((row.account_sid, row.url, row.lane), []).append(row)

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def endpoints(_tx: object, after: tuple[str, str]) -> list[tuple[str, str, int]]:
            self.searches.append(after)
            found = sorted({key[:2] for key in self.lanes if key[0] == after[0]})
            later = [(*key, 0) for key in found if key > after]
            return later[: limits.ENDPOINTS_PER_STEP_MAX]

        async def heads(_tx: object, account: str, url: str, count: int) -> list[Any]:
            if self.fails_heads:
                raise self.fails_heads.pop(0)
            mine = [
                (key[2], rows[0]) for key, rows in self.lanes.items() if key[:2] == (account, url)
            ]
            return [(lane, head.due_ms, head.lane_order) for lane, head in mine][:count]

        async def following(_tx: object, account: str, lane: int, _after: int) -> list[Any]:
            (rows,) = (rows for key, rows in self.lanes.items() if key[::2] == (account, lane))
            return rows[: limits.LANE_DELIVERIES_MAX]

        async def cap_due(_tx: object, account: str) -> int:
            self.capped.append(account)
            return 0

        monkeypatch.setattr(webhook_queue, "endpoints", endpoints)
        monkeypatch.setattr(webhook_queue, "heads", heads)
        monkeypatch.setattr(webhook_queue, "following", following)
        monkeypatch.setattr(webhook_queue, "cap_due", cap_due)

        async def no_date(*_: object) -> None:
            return None

        monkeypatch.setattr(webhook_queue, "oldest_date", no_date)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> PendingRows:
    retry_soon(monkeypatch)
    rows = PendingRows()
    rows.patch(monkeypatch)
    return rows


def poller_of(setup: Setup) -> DuePoller:
    setup.term.pending[ACCOUNT] = 1
    return DuePoller(setup.term, setup.throttle, setup.clock, setup.metrics)


def loaded(setup: Setup) -> list[int]:
    return sorted(
        each.lane_order
        for endpoint in setup.term.lanes.endpoints
        for lane in endpoint.lanes.values()
        for each in lane.waiting
    )


def test_a_term_starts_with_capping_and_loading_all_pending_deliveries(rows: PendingRows) -> None:
    async def scenario(setup: Setup) -> None:
        rows.add(delivery(1, 1), delivery(1, 2), delivery(2, 3))
        poller = poller_of(setup)
        task = asyncio.create_task(poller.run())
        await until(lambda: loaded(setup) == [1, 2, 3])
        assert rows.capped == [ACCOUNT]
        assert setup.term.send_wanted.is_set()
        setup.term.stop()
        await task

    run(scenario)


def test_after_the_clock_was_set_back_all_accounts_are_capped_and_searched(
    rows: PendingRows,
) -> None:
    async def scenario(setup: Setup) -> None:
        poller = poller_of(setup)
        task = asyncio.create_task(poller.run())
        await until(lambda: rows.searches == [(ACCOUNT, "")])
        setup.term.poll_wanted.set()
        await asyncio.sleep(0.01)
        assert rows.capped == [ACCOUNT]
        setup.clock.now_ms = lambda: 1  # type: ignore[method-assign]
        setup.term.poll_wanted.set()
        await until(lambda: len(rows.searches) == 2)
        assert rows.capped == [ACCOUNT] * 2
        setup.term.stop()
        await task

    run(scenario)


def test_a_poll_that_fails_is_repeated(rows: PendingRows) -> None:
    async def scenario(setup: Setup) -> None:
        rows.add(delivery(1, 1))
        rows.fails_heads.append(Unavailable("gone"))
        poller = poller_of(setup)
        task = asyncio.create_task(poller.run())
        await until(lambda: loaded(setup) == [1])
        setup.term.stop()
        await task

    run(scenario)


def test_a_search_takes_accounts_in_turn_and_retries_failures(
    rows: PendingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ENDPOINTS_PER_STEP_MAX", 1)

    async def scenario(setup: Setup) -> None:
        for number in range(2):
            rows.add(delivery(number, number, url=f"http://h{number}.test/"))
        rows.add(delivery(7, 7, account="AC2"))
        setup.store.read_failures += [KeyError("a bug"), Busy("locked"), Unavailable("gone")]
        poller = poller_of(setup)
        with capture_logs() as logs:
            poller.search([ACCOUNT, "AC2"])
            await until(lambda: not len(poller.searches))
        assert [each["event"] for each in logs] == ["webhook_search_failed"]
        accounts = [account for account, _ in rows.searches]
        assert accounts == ["AC1", "AC2", "AC1", "AC2", "AC1"]
        await poller.load_due()
        assert loaded(setup) == [0, 1, 7]

    run(scenario)


def test_a_search_that_fails_at_the_end_of_the_term_is_not_repeated(rows: PendingRows) -> None:
    async def scenario(setup: Setup) -> None:
        rows.add(delivery(1, 1))
        setup.store.read_failures.append(KeyError("a bug"))
        poller = poller_of(setup)
        with capture_logs() as logs:
            poller.search([ACCOUNT])
            await until(lambda: bool(logs))
            setup.term.stop()
            await until(lambda: not len(poller.searches))
        assert rows.searches == []

    run(scenario)


def test_a_search_ends_with_the_term(rows: PendingRows) -> None:
    async def scenario(setup: Setup) -> None:
        setup.term.stop()
        poller = poller_of(setup)
        poller.search([ACCOUNT])
        await until(lambda: not len(poller.searches))
        assert rows.searches == []

    run(scenario)


def test_the_accounts_of_evicted_endpoints_are_searched_when_they_are_due(
    rows: PendingRows,
) -> None:
    async def scenario(setup: Setup) -> None:
        rows.add(delivery(1, 1))
        setup.term.lanes.endpoints.schedule_search(ACCOUNT, 0)
        await poller_of(setup).load_due()
        assert loaded(setup) == [1]

    run(scenario)


def test_a_search_of_evicted_endpoints_that_fails_is_scheduled_again(
    rows: PendingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(setup: Setup) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(webhook_queue, "endpoints", fail)
        setup.term.lanes.endpoints.schedule_search(ACCOUNT, 0)
        with pytest.raises(RuntimeError):
            await poller_of(setup).load_due()
        assert rows.searches == []
        assert setup.term.lanes.next_poll_ms() == 0

    run(scenario)


def test_an_account_that_used_up_its_share_is_polled_later(rows: PendingRows) -> None:
    async def scenario(setup: Setup) -> None:
        rows.add(delivery(1, 1), delivery(2, 2, account="AC2"))
        setup.use_up_the_throttle(ACCOUNT, 15)
        setup.throttle.charge(1.0, "AC2")
        poller = poller_of(setup)
        setup.term.lanes.schedule_poll((ACCOUNT, URL), 0)
        setup.term.lanes.schedule_poll(("AC2", URL), 0)
        await poller.load_due()
        assert loaded(setup) == [2]
        await poller._pause()  # The throttle's delay applies, though an endpoint is due.
        setup.is_busy = False
        await poller.load_due()
        assert loaded(setup) == [1, 2]

    run(scenario)


def test_the_pause_ends_when_the_next_endpoint_is_due(
    rows: PendingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(setup: Setup) -> None:
        poller = poller_of(setup)
        setup.term.lanes.schedule_poll((ACCOUNT, URL), setup.clock.now_ms() + 1)
        await poller._pause()
        assert rows.searches == []

    run(scenario)
