"""The intake: queues the deliveries of events, on disk and then in memory.

Events without a webhook take no transaction. For others the deliveries and the position of the sink
are committed in one transaction, a few events at a time (``intake_transaction.py``), so a crash
neither loses nor duplicates any. Deliveries are added to memory only after the commit.

When the outcome of that commit is unknown, the dispatcher passes the same events again. Rows that
the first transaction did insert are not new then, so they are not offered to the lanes, and newer
ones would be sent before them. Therefore all lanes are invalidated and the memory is rebuilt from
disk (``SyncState`` in ``states.py``).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from parlour.delivery.states import SyncState
from parlour.resources.webhook_attempts.store import LoggedOutcome
from parlour.store.transaction import Unavailable
from parlour.vocabulary import crash_points, limits
from parlour.vocabulary.crash_points import crash_point

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from parlour.delivery.cpu_throttle import CpuThrottle
    from parlour.delivery.due_poller import DuePoller
    from parlour.delivery.intake_transaction import Enqueued, IntakeTransaction, Matched
    from parlour.delivery.term import DeliveryTerm
    from parlour.delivery.webhook_metrics import WebhookMetrics
    from parlour.store.transaction import Transaction, Work
    from parlour.vocabulary.event import Event

T = TypeVar("T")


class Intake:
    """Queues the deliveries of events in one term."""

    # For each chunk of a batch:
    #
    #   1. read   match: which events have webhooks (no lock, no commit)
    #   2. write  enqueue: deliveries and position, one commit, under ``term.enqueuing``
    #   3. memory offer: counts, lanes, wake-ups, still under ``term.enqueuing``
    #
    # Between 2 and 3 the rows are on disk only. After a crash there the next term loads them, and
    # a resync cannot run there, because it needs the same lock.

    def __init__(
        self,
        term: DeliveryTerm,
        transaction: IntakeTransaction,
        throttle: CpuThrottle,
        metrics: WebhookMetrics,
        poller: DuePoller,
        wake_writer: Callable[[], None],
    ) -> None:
        """``wake_writer`` is called when memory of the term must be rebuilt from disk."""
        self._term = term
        self._transaction = transaction
        self._throttle = throttle
        self._metrics = metrics
        self._poller = poller
        self._wake_writer = wake_writer
        # After an error the dispatcher passes a batch again, with the chunks that are committed.
        self._handled_through = 0

    async def handle(self, batch: list[Event]) -> None:
        """Queue the deliveries of some events, a few events in one transaction."""
        batch = [event for event in batch if event.sequence > self._handled_through]
        step = limits.EVENTS_PER_ENQUEUING_MAX
        for start in range(0, len(batch), step):
            await self._throttle.wait()
            crash_point(crash_points.EVENT_READ)
            chunk = batch[start : start + step]
            matched = await self._term.lease_term.store.read(
                self._metered(partial(self._transaction.match, chunk))
            )
            # While a commit is unknown, write even without deliveries: the transaction waits for
            # the unknown one to end, so its rows are visible afterwards.
            if matched or self._is_unknown():
                await self._enqueue(matched, chunk[-1].sequence)
            self._handled_through = chunk[-1].sequence
        crash_point(crash_points.POSITION)

    def _is_unknown(self) -> bool:
        """Return whether the outcome of the last commit is unknown."""
        return self._term.sync is SyncState.INTAKE_UNKNOWN

    async def _enqueue(self, matched: list[Matched], last: int) -> None:
        """Queue the deliveries of some events, with the position ``last``."""
        term = self._term
        async with term.enqueuing:
            work = partial(self._transaction.enqueue, matched, last, term.pending)
            try:
                enqueued = await term.lease_term.store.write(self._metered(work))
            except Unavailable:
                if not self._is_unknown():
                    term.enter(SyncState.INTAKE_UNKNOWN)
                raise
            crash_point(crash_points.QUEUED)
            # Before the offer: lanes may lack rows of the unknown commit, and must not send the
            # new deliveries before those.
            if self._is_unknown():
                term.lanes.invalidate_all()
            self._offer(enqueued)
            if self._is_unknown():
                term.enter(SyncState.RESYNC)
                self._wake_writer()

    def _metered(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> Work[T]:
        """Charge the steps of a transaction to the throttle, but not its waiting."""
        return lambda tx: self._throttle.metered(work(tx))

    def _offer(self, enqueued: Enqueued) -> None:
        """Update the memory after the commit, and wake sender and poller."""
        term = self._term
        if enqueued.unreadable:
            self._metrics.outcomes[LoggedOutcome.UNREADABLE] += enqueued.unreadable
        for delivery in enqueued.ended:
            self._metrics.outcomes[delivery.state] += 1
            term.pending[delivery.account_sid] -= 1
            term.lanes.invalidate(delivery.account_sid, delivery.url, delivery.lane)
        for delivery in enqueued.queued:
            term.pending[delivery.account_sid] += 1
            term.lanes.offer(delivery)
        for replay in enqueued.replays:
            term.count_replay(*replay)
        for account_sid in {replay.account_sid for replay in enqueued.replays}:
            self._poller.search([account_sid])
        if term.recounts:
            self._wake_writer()
        term.send_wanted.set()
        term.poll_wanted.set()
