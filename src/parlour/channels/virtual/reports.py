"""Delivery reports of virtual phones that are due later: a job of the scheduler.

Their due dates are rows, so they survive a restart and follow the clock. A report is deleted after
it was passed on: a crash in between repeats it, as carriers do.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from parlour.channels.carrier import DeliveryReport
from parlour.operations.scheduler import Job
from parlour.resources.virtual_phones import report_store as virtual_phone_report_store
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.channels.carrier import ReportedStatus
    from parlour.resources.virtual_phones.report_store import VirtualPhoneReport
    from parlour.store.transaction import Store, Transaction


class VirtualPhoneReports:
    """Passes due reports on, in the order of their due dates for each message."""

    def __init__(self, report: Callable[[DeliveryReport], Awaitable[None]]) -> None:
        """``report`` records a report, and returns after the commit."""
        self._report = report

    def job(self) -> Job:
        """Return the job of the scheduler."""
        return Job("virtual_phone_reports", virtual_phone_report_store.next_due_ms, self.run)

    async def run(self, store: Store) -> None:
        """Pass one batch of due reports on."""
        count = limits.VIRTUAL_PHONE_REPORTS_PER_STEP_MAX
        due = await store.read(lambda tx: virtual_phone_report_store.list_due(tx, count))
        lanes: dict[str, list[VirtualPhoneReport]] = {}
        for each in due:
            lanes.setdefault(each.reference, []).append(each)
        await asyncio.gather(*(self._run_lane(store, lane) for lane in lanes.values()))

    async def _run_lane(self, store: Store, lane: list[VirtualPhoneReport]) -> None:
        for each in lane:
            await self._report(
                DeliveryReport(
                    status=cast("ReportedStatus", each.status),
                    reference=each.reference,
                    recipient=each.recipient,
                    error_code=each.error_code,
                    detail="reported by a virtual phone",
                )
            )

        async def delete(tx: Transaction) -> None:
            for each in lane:
                await virtual_phone_report_store.delete_report(
                    tx, Scope(each.account_sid), each.sequence
                )

        await store.write(delete)
