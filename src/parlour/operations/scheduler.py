"""What happens by itself: work that the store knows of is done when it is due.

A job says when it is due next, by a look at an index and never at every row, and does one bounded
step at a time. What is to be done, and when, stands in the store alone, so a restart loses nothing.
The scheduler looks at the next time that is due, soon after a commit that may have changed it, and
at least every second, because a clock can be set. A step that is not the last makes its job due
again at once; every job that is due gets its turn before any gets its next.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from parlour.store.leases import LocalLease
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from parlour.store.leases import Lease
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock

log = structlog.get_logger()


class Job(NamedTuple):
    """One kind of work: when there is something to do (None: nothing known), and one step of it."""

    name: str
    next_due_ms: Callable[[Transaction], Awaitable[int | None]]
    run: Callable[[Store], Awaitable[object]]


def transactional(step: Callable[[Transaction], Awaitable[Any]]) -> Callable[[Store], Any]:
    """Make the step of a job that is one transaction."""
    return lambda store: store.write(step)


class Scheduler:
    """Does the jobs: in one process at a time, where several serve the same data."""

    def __init__(
        self, store: Store, clock: Clock, jobs: Sequence[Job], lease: Lease | None = None
    ) -> None:
        """``lease``: the right to do them; without it nobody else serves this store."""
        self._lease = lease or LocalLease(store)
        self._clock = clock
        self._jobs = tuple(jobs)
        self._backoff_until: dict[str, float] = {}
        self._wakeup = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Begin; what became due while nothing ran is done now."""
        assert self._task is None
        await self._lease.start()
        self._task = asyncio.create_task(self._run(), name="scheduler")

    def wake(self) -> None:
        """Something was committed: something may be due."""
        self._wakeup.set()

    async def stop(self) -> None:
        """End after the steps that are being done."""
        self._stopping = True
        self._wakeup.set()
        if self._task is not None:
            await self._task
        await self._lease.stop()

    async def run_due(self) -> int | None:
        """Do one step of every job that is due; when to look again, None if nothing is known.

        A job that fails is logged, rests, and stops no other.
        """
        soonest: int | None = None
        lease_term = self._lease.current_term()
        if lease_term is None:
            return None
        for job in self._jobs:
            if self._backoff_until.get(job.name, 0) > self._clock.monotonic_ms():
                continue
            try:
                due_ms = await lease_term.store.read(job.next_due_ms)
                if due_ms is not None and due_ms <= self._clock.now_ms():
                    await job.run(lease_term.store)
                    self._backoff_until.pop(job.name, None)
            except Exception:
                log.exception("job_failed", job=job.name)
                rest_ms = limits.SCHEDULER_POLL_MS
                self._backoff_until[job.name] = self._clock.monotonic_ms() + rest_ms
                continue
            if due_ms is not None:
                soonest = due_ms if soonest is None else min(soonest, due_ms)
        return soonest

    async def _run(self) -> None:
        while not self._stopping:
            self._wakeup.clear()
            soonest = await self.run_due()
            await self._wait(soonest)

    async def _wait(self, soonest: int | None) -> None:
        """Wait until it is worth looking again."""
        pause_ms = limits.SCHEDULER_POLL_MS
        if soonest is not None:
            pause_ms = min(pause_ms, soonest - self._clock.now_ms())
        if pause_ms <= 0 or self._stopping:
            await asyncio.sleep(0)
            return
        try:
            await asyncio.wait_for(self._wakeup.wait(), pause_ms / 1000)
        except TimeoutError:
            return
        if not self._stopping:
            # Commits come in crowds: one look is enough for all that follow at once.
            await asyncio.sleep(limits.SCHEDULER_DEBOUNCE_MS / 1000)
