"""Prometheus metrics of webhooks: the backlog, its age, and the outcomes of attempts."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from parlour.resources.webhook_attempts.store import OUTCOMES
from parlour.store import webhook_queue
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock


class WebhookMetrics:
    """Counters of one process, and the age of the backlog, which is read periodically."""

    # The age is measured in the background: a scrape must not cost a read for each account.

    def __init__(self, clock: Clock) -> None:
        self.outcomes: Counter[str] = Counter()
        self._clock = clock
        self._oldest_ms: int | None = None
        self._measured_at_ms = -float(limits.WEBHOOK_METRICS_MS)

    async def measure(self, store: Store, pending: Counter[str]) -> None:
        """Read the date of the oldest pending delivery, if the interval has elapsed."""
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._measured_at_ms < limits.WEBHOOK_METRICS_MS:
            return
        self._measured_at_ms = now_ms
        self._oldest_ms = None
        for account_sid in [name for name, count in pending.items() if count <= 0]:
            del pending[account_sid]  # A Counter keeps zeros: bound it by accounts with a backlog.
        for account_sid in list(pending):
            date = await store.read(partial(_oldest_date, account_sid))
            if date is not None:
                self._oldest_ms = min(date, self._oldest_ms or date)
            await asyncio.sleep(0)

    def collect(self, pending: int) -> Iterator[Metric]:
        """Return the metrics. None has the account as a label."""
        backlog = max(0, pending)
        text = "Webhook deliveries that are pending."
        yield GaugeMetricFamily("parlour_webhook_backlog", text, value=backlog)
        is_known = backlog > 0 and self._oldest_ms is not None
        age_ms = self._clock.now_ms() - (self._oldest_ms or 0) if is_known else 0
        yield GaugeMetricFamily(
            "parlour_webhook_oldest_seconds",
            "Age of the oldest pending webhook delivery, as of a few seconds ago.",
            value=max(0, age_ms) / 1000,
        )
        attempts = CounterMetricFamily(
            "parlour_webhook_attempts", "Attempts at webhooks, by outcome.", labels=("outcome",)
        )
        for outcome in OUTCOMES:
            attempts.add_metric((outcome,), self.outcomes[outcome])
        yield attempts


async def _oldest_date(account_sid: str, tx: Transaction) -> int | None:
    return await webhook_queue.oldest_date(tx, account_sid)
