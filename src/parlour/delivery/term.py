"""The memory of webhook delivery during one lease term, shared by all of its parts.

Where several processes serve the same data, one of them delivers, for a term. The memory is a
cache of rows on disk and is dropped at the end of the term; the next term starts from the rows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from parlour.delivery.lanes import Lanes
from parlour.delivery.states import SyncState
from parlour.delivery.write_queue import WriteQueue

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from parlour.delivery.attempts import AttemptResult
    from parlour.delivery.lanes import Lane
    from parlour.store.leases import LeaseTerm
    from parlour.store.transaction import Store


class DeliveryTerm:
    """The lanes, the queue of results, the counts of pending deliveries, and their sync."""

    # Flow of a delivery through the parts:
    #
    #   log ─► Intake ─► rows ─► DuePoller ─► Lanes ─► Sender ─► results ─► ResultWriter ─► rows
    #             └────────────────────────────►┘
    #
    # Invariants while ``sync`` is SYNCED:
    #   - ``pending`` is the number of pending rows of each account. Replayed deliveries are added
    #     when the intake handles their event: a resync or the start of a term between the replay
    #     and that counts them twice.
    #   - The lanes agree with the rows (see ``Lanes``).
    # In any other state both may differ from the rows until the next resync.

    def __init__(self, lease_term: LeaseTerm, reads: Store, pending: Mapping[str, int]) -> None:
        """``reads``: the store to read from; writes go through the store of ``lease_term``."""
        self.lease_term = lease_term
        self.reads = reads
        self.lanes = Lanes()
        # Results of attempts that are not on disk yet. ATTEMPTS_UNRECORDED_MAX does not bound them:
        # beyond it only accounts without unrecorded results send, and the requests in flight
        # (WEBHOOKS_AT_ONCE_MAX) come on top.
        self.results: WriteQueue[tuple[Lane, AttemptResult]] = WriteQueue()
        self.pending = Counter(pending)
        self.sync = SyncState.SYNCED
        # Held from the start of the intake's commit until its deliveries are in memory. A resync
        # takes it as well: otherwise rows between commit and memory would be counted twice.
        self.enqueuing = asyncio.Lock()
        self.send_wanted = asyncio.Event()
        self.poll_wanted = asyncio.Event()
        self.is_stopping = False

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
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run a coroutine as a task until it ends."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def drain(self, timeout_seconds: float) -> None:
        """Wait until all tasks have ended; cancel those that have not after the timeout."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=timeout_seconds)
        await self.cancel()

    async def cancel(self) -> None:
        """Cancel all tasks and wait for their end."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def wait_for(event: asyncio.Event, timeout_ms: float | None) -> None:
    """Wait for an event, at most this long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
            await event.wait()
