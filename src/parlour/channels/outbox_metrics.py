"""Prometheus metrics of channels: queues, messages by outcome, reports, and links."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from parlour.resources.inbound.processing import Outcome
from parlour.resources.inbox.store import InboxSize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from parlour.channels.carrier import Carrier

SENT: Final = "sent"
REJECTED: Final = "rejected"
RETRIED: Final = "retried"
UNAVAILABLE: Final = "unavailable"
REFUSED: Final = "refused"
OUTCOMES: Final = (SENT, REJECTED, RETRIED, UNAVAILABLE, REFUSED)
"""Accepted; rejected for good, or for now; no result; refused by the policy, without an attempt."""

INBOUND_OUTCOMES: Final = (*get_args(Outcome), "failed", "deferred", "refused")
"""The outcomes of inbound messages; failed: dropped after the last attempt, counted as its outcome
as well; deferred: tried again; refused: for an unknown number.
"""

_NO_ROUTE: Final = "none"


class CarrierMetrics:
    """Counters of one process, and the sizes of the queues, which are read periodically."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.reports: Counter[tuple[str, str]] = Counter()
        self.queue_lengths: dict[str, int] = {}
        self.inbound: Counter[str] = Counter()
        self.inbox = InboxSize(0, 0)

    def collect(self, carriers: Mapping[str, Carrier]) -> Iterator[Metric]:
        """Return the metrics, by the name of the carrier."""
        queued = GaugeMetricFamily(
            "parlour_carrier_queue",
            "Messages that wait for a carrier, as of a few seconds ago.",
            labels=("carrier",),
        )
        for name in sorted({*carriers, *self.queue_lengths}):
            queued.add_metric((name or _NO_ROUTE,), self.queue_lengths.get(name, 0))
        yield queued
        submissions = CounterMetricFamily(
            "parlour_carrier_submissions",
            "Submissions of messages to a carrier, by outcome.",
            labels=("carrier", "outcome"),
        )
        for name in sorted({*carriers, *(name for name, _ in self.outcomes)}):
            for outcome in OUTCOMES:
                count = self.outcomes[name, outcome]
                submissions.add_metric((name or _NO_ROUTE, outcome), count)
        yield submissions
        reports = CounterMetricFamily(
            "parlour_carrier_reports",
            "Delivery reports of a carrier, by status, and those about unknown messages.",
            labels=("carrier", "status"),
        )
        for (name, status), count in sorted(self.reports.items()):
            reports.add_metric((name, status), count)
        yield reports
        links = GaugeMetricFamily(
            "parlour_carrier_link_up",
            "Whether a link of a carrier is connected, on the node that owns it.",
            labels=("carrier", "link"),
        )
        for name, carrier in sorted(carriers.items()):
            for link in carrier.links():
                links.add_metric((name, link.name), int(link.is_up))
        yield links
        yield from self._collect_inbox()

    def _collect_inbox(self) -> Iterator[Metric]:
        """Return the metrics of inbound messages."""
        yield GaugeMetricFamily(
            "parlour_inbox_queue",
            "Inbound messages that wait to be processed, as of a few seconds ago.",
            value=self.inbox.waiting,
        )
        yield GaugeMetricFamily(
            "parlour_inbox_oldest_seconds",
            "Age of the oldest inbound message that waits, as of a few seconds ago.",
            value=self.inbox.oldest_ms / 1000,
        )
        messages = CounterMetricFamily(
            "parlour_inbox_messages", "Inbound messages, by outcome.", labels=("outcome",)
        )
        for outcome in INBOUND_OUTCOMES:
            messages.add_metric((outcome,), self.inbound[outcome])
        yield messages
