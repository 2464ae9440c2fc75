"""The memory of webhook delivery during one lease term, shared by all of its parts.

Where several processes serve the same data, one of them delivers, for a term. The memory is a
cache of rows on disk and is dropped at the end of the term; the next term starts from the rows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from parlour.delivery.lanes import Lanes
from parlour.delivery.states import SyncState
from parlour.delivery.write_queue import WriteQueue
from parlour.store import event_log, webhook_queue

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from parlour.delivery.attempts import AttemptResult
    from parlour.delivery.lanes import Lane
    from parlour.store.leases import LeaseTerm
    from parlour.store.transaction import Store, Transaction


class PendingCounts(NamedTuple):
    """The numbers of pending deliveries of each account, read on one snapshot."""

    # A replay is one transaction: reopened deliveries and an event. The snapshot contains none of a
    # replay whose event has a higher number than ``through``. Of earlier ones it contains all or,
    # where several processes commit, none: numbers are not in the order of commits.
    pending: Mapping[str, int]
    through: int
    """The number of the newest event of the snapshot."""


async def count_pending(tx: Transaction) -> PendingCounts:
    """Return the numbers of pending deliveries, and the newest event that they contain."""
    return PendingCounts(await webhook_queue.counts(tx), await event_log.newest_sequence(tx))


async def count_pending_of(tx: Transaction, account_sid: str) -> PendingCounts:
    """Return the number of an account's pending deliveries, and the newest event."""
    count = await webhook_queue.count_of(tx, account_sid)
    return PendingCounts({account_sid: count}, await event_log.newest_sequence(tx))


class DeliveryTerm:
    """The lanes, the queue of results, the counts of pending deliveries, and their sync."""

    # Flow of a delivery through the parts:
    #
    #   log ─► Intake ─► rows ─► DuePoller ─► Lanes ─► Sender ─► results ─► ResultWriter ─► rows
    #             └────────────────────────────►┘
    #
    # Invariants while ``sync`` is SYNCED:
    #   - ``pending`` is the number of pending rows of each account; replayed deliveries are in it
    #     once the intake has handled their event, or earlier (``PendingCounts``). Accounts in
    #     ``recounts`` are the exception, until the result writer has counted them.
    #   - The lanes agree with the rows (see ``Lanes``).
    # In any other state both may differ from the rows until the next resync.

    def __init__(self, lease_term: LeaseTerm, reads: Store, counts: PendingCounts) -> None:
        """``reads``: the store to read from; writes go through the store of ``lease_term``."""
        self.lease_term = lease_term
        self.reads = reads
        self.lanes = Lanes()
        # Results of attempts that are not on disk yet. ATTEMPTS_UNRECORDED_MAX does not bound them:
        # beyond it only accounts without unrecorded results send, and the requests in flight
        # (WEBHOOKS_AT_ONCE_MAX) come on top.
        self.results: WriteQueue[tuple[Lane, AttemptResult]] = WriteQueue()
        self.pending: Counter[str] = Counter()
        self.counted_through = 0
        self._recounted_through: dict[str, int] = {}  # Of accounts that were counted again since.
        # Accounts whose count may or may not contain a replay: the result writer counts them again.
        self.recounts: set[str] = set()
        self.set_counts(counts)
        self.sync = SyncState.SYNCED
        # Held from the start of the intake's commit until its deliveries are in memory. A resync
        # takes it as well: otherwise rows between commit and memory would be counted twice.
        self.enqueuing = asyncio.Lock()
        self.send_wanted = asyncio.Event()
        self.poll_wanted = asyncio.Event()
        self.is_stopping = False
        # Which accounts start no request now, because their rows are being replaced; None: all may.
        self.is_held: Callable[[str], bool] | None = None

    def set_counts(self, counts: PendingCounts) -> None:
        """Replace the counts by those on disk."""
        self.pending = Counter(counts.pending)
        self.counted_through = counts.through
        self.recounts.clear()
        self._recounted_through.clear()

    def set_count(self, account_sid: str, counts: PendingCounts) -> None:
        """Replace the count of one account by the one on disk."""
        self.pending[account_sid] = counts.pending[account_sid]
        self._recounted_through[account_sid] = counts.through
        self.recounts.discard(account_sid)

    def count_replay(self, account_sid: str, event_sequence: int, reopened: int) -> None:
        """Count the deliveries that a replay has reopened, each once."""
        if event_sequence > self._recounted_through.get(account_sid, self.counted_through):
            self.pending[account_sid] += reopened
        else:
            self.recounts.add(account_sid)

    def enter(self, state: SyncState) -> None:
        """Change the sync state."""
        self.sync = state

    def stop(self) -> None:
        """Start no more requests, polls and searches."""
        self.is_stopping = True
        self.send_wanted.set()
        self.poll_wanted.set()


class Tasks:
    """The tasks of one part in one term."""

    # asyncio keeps only weak references to tasks: without the set they could be collected.

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[None], str] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[None, None, None], account_sid: str = "") -> None:
        """Run a coroutine as a task until it ends; ``account_sid``: for which account."""
        task = asyncio.create_task(work)
        self._running[task] = account_sid
        task.add_done_callback(self._running.pop)

    async def drain(self, timeout_seconds: float) -> None:
        """Wait until all tasks have ended; cancel those that have not after the timeout."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=timeout_seconds)
        await self.cancel()

    async def cancel(self) -> None:
        """Cancel all tasks and wait for their end."""
        await self.cancel_of(lambda _account_sid: True, 0)

    async def cancel_of(self, accounts: Callable[[str], bool], timeout_seconds: float) -> None:
        """Cancel the tasks of some accounts, unless they end before the timeout; wait for it."""
        running = [task for task, account_sid in self._running.items() if accounts(account_sid)]
        if running and timeout_seconds:
            await asyncio.wait(running, timeout=timeout_seconds)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def wait_for(event: asyncio.Event, timeout_ms: float | None) -> None:
    """Wait for an event, at most this long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
            await event.wait()
