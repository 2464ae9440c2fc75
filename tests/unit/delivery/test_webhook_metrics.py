"""Metrics of webhooks: the backlog, its age as of the last measurement, and the outcomes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from parlour.delivery.webhook_metrics import WebhookMetrics
from parlour.store import webhook_queue
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from tests.unit.delivery.term_setup import FakeStore

NOW = 1_000_000


class Figures:
    """Metrics, and the date of the oldest pending delivery of each account on disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock(NOW)
        self.metrics = WebhookMetrics(self.clock)
        self.store: Any = FakeStore()
        self.dates: dict[str, int] = {}
        self.read: list[str] = []
        self.pending: Counter[str] = Counter()

        async def oldest_date(_tx: object, account_sid: str) -> int | None:
            self.read.append(account_sid)
            return self.dates.get(account_sid)

        monkeypatch.setattr(webhook_queue, "oldest_date", oldest_date)

    def measure(self) -> None:
        asyncio.run(self.metrics.measure(self.store, self.pending))

    def sample(self, name: str, pending: int) -> float:
        found = {metric.name: metric for metric in self.metrics.collect(pending)}
        (sample,) = found[name].samples
        value: float = sample.value
        return value

    def seconds(self, pending: int = 1) -> float:
        return self.sample("parlour_webhook_oldest_seconds", pending)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Figures:
    return Figures(monkeypatch)


def test_the_backlog_is_never_negative(figures: Figures) -> None:
    assert figures.sample("parlour_webhook_backlog", 3) == 3
    assert figures.sample("parlour_webhook_backlog", -1) == 0


def test_the_age_is_that_of_the_oldest_delivery_of_all_accounts(figures: Figures) -> None:
    figures.dates = {"AC1": NOW - 2000, "AC2": NOW - 7000, "AC4": NOW - 3000}
    figures.pending = Counter(dict.fromkeys(["AC1", "AC2", "AC3", "AC4"], 1))
    assert figures.seconds() == 0
    figures.measure()
    assert figures.seconds() == 7
    figures.clock.advance(500)
    assert figures.seconds() == 7.5


def test_without_a_backlog_or_before_the_queued_date_the_age_is_zero(figures: Figures) -> None:
    figures.dates = {"AC1": NOW + 5000}
    figures.pending = Counter(AC1=1)
    figures.measure()
    assert figures.seconds() == 0
    figures.clock.advance(6000)
    assert figures.seconds() == 1
    assert figures.seconds(pending=0) == 0


def test_the_dates_are_read_once_per_interval(figures: Figures) -> None:
    figures.dates = {"AC1": NOW - 1000}
    figures.pending = Counter(AC1=1)
    figures.measure()
    figures.clock.advance(limits.WEBHOOK_METRICS_MS - 1)
    figures.measure()
    assert figures.read == ["AC1"]
    figures.dates = {}
    figures.clock.advance(1)
    figures.measure()
    assert figures.read == ["AC1", "AC1"]
    assert figures.seconds() == 0


def test_accounts_without_a_backlog_are_removed_from_the_counts(figures: Figures) -> None:
    figures.pending = Counter(AC1=0, AC2=-1, AC3=1)
    figures.measure()
    assert figures.pending == {"AC3": 1}
    assert list(figures.pending) == figures.read == ["AC3"]


def test_attempts_are_counted_by_outcome_and_each_outcome_has_a_sample(figures: Figures) -> None:
    figures.metrics.outcomes.update({"delivered": 2, "unreadable": 1})
    (attempts,) = (
        each for each in figures.metrics.collect(0) if each.name == "parlour_webhook_attempts"
    )
    assert {sample.labels["outcome"]: sample.value for sample in attempts.samples} == {
        "delivered": 2,
        "retrying": 0,
        "failed": 0,
        "stopped": 0,
        "dropped": 0,
        "rejected": 0,
        "unreadable": 1,
    }
