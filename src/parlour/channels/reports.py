"""Delivery reports of carriers: recorded in receipts, on the node that they reach.

A report may come before the submission that it is about is recorded. If it names the reference, it
proves that the carrier accepted the message, and is recorded at once. If it names an identifier of
the carrier's, which is unknown by then, it waits in the store for up to ``EARLY_REPORT_MS``.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import structlog

from parlour.channels import outbox_results
from parlour.channels.log_text import without_addresses
from parlour.operations.scheduler import Job
from parlour.protocol.storable_text import storable
from parlour.resources.outbox import queue as outbox_queue
from parlour.vocabulary import limits
from parlour.vocabulary.crash_points import (
    EARLY_REPORT_STORED,
    REPORT_RECEIVED,
    REPORT_RECORDED,
    crash_point,
)
from parlour.vocabulary.origin import SYSTEM

if TYPE_CHECKING:
    from parlour.channels.carrier import DeliveryReport
    from parlour.channels.outbox_metrics import CarrierMetrics
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock

log = structlog.get_logger()

_UNKNOWN = "unknown"


class Reports:
    """Records the reports of all carriers."""

    def __init__(self, store: Store, clock: Clock, metrics: CarrierMetrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        # When this process stored the last early reports, on the monotonic clock.
        self._early: deque[float] = deque(maxlen=limits.EARLY_REPORTS_MAX)

    async def report(self, carrier_name: str, report: DeliveryReport) -> None:
        """Record a report; returns after the commit. One of an unknown submission is logged.

        Raises Busy and Unavailable: then the carrier has to report again.
        """
        crash_point(REPORT_RECEIVED)
        report = _storable(report)
        if await self._store.write(
            partial(outbox_results.record_report, carrier=carrier_name, report=report), SYSTEM
        ):
            crash_point(REPORT_RECORDED)
            self._count(carrier_name, report)
            return
        if report.provider_id is None or not self._may_store_early(report.provider_id):
            self._log_unknown(carrier_name, report)
            return
        is_recorded = await self._store.write(
            partial(outbox_results.store_early, carrier=carrier_name, report=report), SYSTEM
        )
        crash_point(EARLY_REPORT_STORED)
        if not is_recorded:
            self._early.append(self._clock.monotonic_ms())
        self._count(carrier_name, report)

    def job(self) -> Job:
        """Return the job that logs and deletes early reports without a submission."""
        return Job("early_reports", outbox_queue.next_expiry_ms, self._expire)

    async def _expire(self, store: Store) -> None:
        for each in await store.write(outbox_queue.take_expired_reports):
            self._log_unknown(each.carrier, outbox_results.decode_report(each.report))

    def _may_store_early(self, provider_id: str) -> bool:
        oldest_ms = self._clock.monotonic_ms() - limits.EARLY_REPORT_MS
        while self._early and self._early[0] < oldest_ms:
            self._early.popleft()
        is_full = len(self._early) >= limits.EARLY_REPORTS_MAX
        return not is_full and len(provider_id) <= limits.PROVIDER_ID_CHARS_MAX

    def _count(self, carrier_name: str, report: DeliveryReport) -> None:
        self._metrics.reports[carrier_name, report.status] += 1

    def _log_unknown(self, carrier_name: str, report: DeliveryReport) -> None:
        self._metrics.reports[carrier_name, _UNKNOWN] += 1
        named = report.reference or report.provider_id
        detail = without_addresses(report.detail, {report.recipient} if report.recipient else ())
        log.warning(
            "delivery_report_dropped",
            carrier=carrier_name,
            named=named and named[: limits.SUBMISSION_ERROR_CHARS_MAX],
            status=report.status,
            error_code=report.error_code,
            detail=detail[: limits.SUBMISSION_ERROR_CHARS_MAX],
        )


def _storable(report: DeliveryReport) -> DeliveryReport:
    """Return a report whose texts can be compared with columns, and stored."""
    texts = {
        name: storable(text)
        for name in ("reference", "provider_id", "recipient", "detail")
        if (text := getattr(report, name)) is not None
    }
    return msgspec.structs.replace(report, **texts)
