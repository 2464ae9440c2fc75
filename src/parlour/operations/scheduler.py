"""The scheduler: runs jobs when they are due, from state that is in the store alone.

A job is a query for its next due time (one index lookup, never a scan) and one bounded step.
The only state in memory is the backoff of failed jobs, so a restart loses nothing.

`Scheduler.run_due` is one turn: it runs one step of each due job and returns the next due time. The
background task repeats it; a test that moves the clock by hand calls it directly, until the
returned time is later than the clock:

====================  ===================================================================
the background task   next turn
====================  ===================================================================
a job is still due    at once, after the other jobs that are due had their step
a job is due later    at that time, or after ``SCHEDULER_POLL_MS`` if that is sooner, as the
                      clock may be set
nothing is due        after ``SCHEDULER_POLL_MS``
`wake` was called     after ``SCHEDULER_DEBOUNCE_MS``: commits come in bursts
====================  ===================================================================

Due times are compared with the `Clock`; the intervals between turns are event loop time.
"""

from __future__ import annotations

import asyncio
import math
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
    """One kind of background work: the query for its next due time, and one step of it.

    ``next_due_ms`` returns None if nothing is pending. ``follows_clock`` is False if it returns the
    end of a delay on the monotonic clock. ``is_upkeep``: clients see no effect of the job.
    """

    name: str
    next_due_ms: Callable[[Transaction], Awaitable[int | None]]
    run: Callable[[Store], Awaitable[object]]
    follows_clock: bool = True
    is_upkeep: bool = False


def transactional(step: Callable[[Transaction], Awaitable[Any]]) -> Callable[[Store], Any]:
    """Return a job's ``run`` that executes one step in one transaction."""
    return lambda store: store.write(step)


class Scheduler:
    """Runs the jobs; if several processes serve the same data, in the lease holder only."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        jobs: Sequence[Job],
        lease: Lease | None = None,
        *,
        debounce_ms: int = limits.SCHEDULER_DEBOUNCE_MS,
        interval_ms_min: int = 0,
    ) -> None:
        """``lease``: held by the process that runs the jobs; None if no other serves this store.

        ``debounce_ms``: the delay after `wake`. ``interval_ms_min``: the least wait for a job that
        is due later, on a clock that may be stopped just before it.
        """
        self._lease = lease or LocalLease(store)
        self._clock = clock
        self.jobs = tuple(jobs)
        # When each job last ran in this process, by its name.
        self._ran_ms: dict[str, int] = {}
        self._debounce_seconds = debounce_ms / 1000
        self._interval_ms_min = interval_ms_min
        # Held during a turn: no step of a job runs twice at a time.
        self._turn = asyncio.Lock()
        # The end of a failed job's backoff on the monotonic clock, by the job's name.
        self._backoff_until: dict[str, float] = {}
        self._wakeup = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        # Held during each step of a job, and by those who must not meet one.
        self.stepping = asyncio.Lock()

    async def start(self) -> None:
        """Start the background task; jobs that became due during a downtime run at once."""
        assert self._task is None
        await self._lease.start()
        self._task = asyncio.create_task(self._run(), name="scheduler")

    def wake(self) -> None:
        """Schedule a turn soon: a commit may have made a job due."""
        self._wakeup.set()

    async def stop(self) -> None:
        """Stop after the steps in progress."""
        self._stopping = True
        self._wakeup.set()
        if self._task is not None:
            await self._task
        await self._lease.stop()

    async def run_due(self) -> int | None:
        """Run one step of each job that is due by the clock; return the next due time.

        The returned time is not later than the clock while a due job may have more steps, and
        None if nothing is pending or another process holds the lease. A job that fails is logged
        and due again after a backoff; the other jobs run.
        """
        term = self._lease.current_term()
        if term is None:
            return None
        async with self._turn:
            due_times = [await self._run_job(job, term.store) for job in self.jobs]
        return min((each for each in due_times if each is not None), default=None)

    @property
    def is_running(self) -> bool:
        """Whether steps of jobs are running."""
        return self._turn.locked()

    def last_run_ms(self, name: str) -> int | None:
        """Return when a job last ran in this process; None: not yet."""
        return self._ran_ms.get(name)

    async def due_times(self, tx: Transaction) -> list[tuple[int, Job]]:
        """Return when each job is due that follows the clock, without those that are not."""
        found = [(await job.next_due_ms(tx), job) for job in self.jobs if job.follows_clock]
        return [(due_ms, job) for due_ms, job in found if due_ms is not None]

    async def _run_job(self, job: Job, store: Store) -> int | None:
        """Run one step of a job if it is due; return when it was or is due next."""
        backoff_ms = self._backoff_until.get(job.name, 0) - self._clock.monotonic_ms()
        if backoff_ms > 0:
            return self._clock.now_ms() + math.ceil(backoff_ms)
        try:
            due_ms = await store.read(job.next_due_ms)
            if due_ms is not None and due_ms <= self._clock.now_ms():
                async with self.stepping:
                    await job.run(store)
                self._ran_ms[job.name] = self._clock.now_ms()
                self._backoff_until.pop(job.name, None)
        except Exception:
            log.exception("job_failed", job=job.name)
            backoff_ms = limits.SCHEDULER_POLL_MS
            self._backoff_until[job.name] = self._clock.monotonic_ms() + backoff_ms
            return self._clock.now_ms() + backoff_ms
        return due_ms

    async def _run(self) -> None:
        while not self._stopping:
            self._wakeup.clear()
            await self._wait(await self.run_due())

    async def _wait(self, due_ms: int | None) -> None:
        """Wait until the next due time, a wake-up or the poll interval, whichever is first."""
        pause_ms = limits.SCHEDULER_POLL_MS
        if due_ms is not None:
            pause_ms = min(pause_ms, due_ms - self._clock.now_ms())
        if pause_ms <= 0 or self._stopping:
            await asyncio.sleep(0)
            return
        pause_ms = max(pause_ms, self._interval_ms_min)
        try:
            await asyncio.wait_for(self._wakeup.wait(), pause_ms / 1000)
        except TimeoutError:
            return
        if not self._stopping:
            await asyncio.sleep(self._debounce_seconds)
