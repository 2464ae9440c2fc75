"""The dispatcher: reads the event log in order and passes every event to every sink.

Each sink has a separate loop and position, so a failing or slow sink delays no other. The position
is checkpointed after the events were handled: after a crash in between they are handled again, and
none is lost. That is at-least-once delivery; an idempotent sink makes it exactly once. A wake-up
after a commit is only a hint: the fallback polling interval is ``DISPATCH_POLL_MS``.

Where several processes serve the same data, each sink runs in one of them, for a lease term
(``store/leases.py``). The term starts at the last checkpoint; at its end the sink drops its memory.

Many events do not concern a sink. Its position behind them is checkpointed lazily, since each
checkpoint costs a commit that a request would have to wait for.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import structlog

from parlour.store import event_log
from parlour.store.leases import LeaseLost, LocalLease
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from parlour.store.leases import Lease, LeaseTerm
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock
    from parlour.vocabulary.event import Event

log = structlog.get_logger()


class Sink(Protocol):
    """A consumer of events."""

    @property
    def name(self) -> str:
        """The key of its position; never changed."""
        ...

    @property
    def reads_from_start(self) -> bool:
        """Whether a new sink starts with the whole log, or with the next event."""
        ...

    def wants(self, event: Event) -> bool:
        """Return whether the event concerns this sink. Cheap, and never fails."""
        ...

    async def handle(self, events: list[Event]) -> bool:
        """Process the events that concern it, in order; once it returns they are done.

        Returns whether to checkpoint their position at once: not if they had no effect, nor if the
        sink wrote the position itself, in its own transaction. After an error the same events are
        retried.
        """
        ...


@runtime_checkable
class LeasedSink(Protocol):
    """A sink that has a memory from one batch to the next, or sends requests."""

    async def start_term(self, lease_term: LeaseTerm) -> None:
        """Start to run in this process; writes go through the store of the term."""
        ...

    async def end_term(self) -> None:
        """Finish the work in progress while the lease is held, or else drop it."""
        ...


class SharedBatch:
    """The batch of the log that was read last: a cache, as most sinks are at the same position.

    It is valid until the next wake-up. A sink takes a batch that is not full for the end of the
    log, so it must not get one that was read before the wake-up.
    """

    def __init__(self) -> None:
        self._after = -1
        self._batch: list[Event] = []
        self._wakes = 0

    def invalidate(self) -> None:
        """Invalidate the batch: there may be new events."""
        self._batch = []
        self._wakes += 1

    async def read(self, store: Store, position: int) -> list[Event]:
        """Return the next events after a position; an empty list only if there are none."""
        if self._batch and position == self._after:
            return self._batch
        wakes = self._wakes
        batch = await store.read(
            lambda tx: event_log.read_after(tx, position, limits.EVENTS_PER_BATCH_MAX),
            single_statement=True,
        )
        if wakes == self._wakes:
            self._after, self._batch = position, batch
        return batch


class SinkRunner:
    """One sink, its position in the log and its lease term."""

    # A term: find the position -> start the sink -> steps -> end the sink -> last checkpoint.
    #
    #   state    lease_term  _is_ending  next
    #   none     None        False       running: the lease is held, and the sink has started
    #   running  set         False       ending: the lease is lost or over, or the stop
    #   ending   set         True        none: the sink has ended
    #
    # Invariant: ``_checkpointed <= position``, and all events up to ``position`` were handled.
    # Events between the two are handled again after a crash, except by the webhook sink, which
    # stores the position itself. A new sink that starts at the end of the log handles no earlier
    # events. ``position`` is meaningless without a term: another process may have advanced the
    # checkpoint, so each term reads it again.
    #
    # While the sink has not ended, its term is not over: after an error of the sink its end is
    # retried, and no step runs and no other term starts before it. At the stop the end is tried
    # once: after an error, or a cancellation, the state remains, as the process ends. An error of
    # the last checkpoint is not retried: the next owner handles those events again.

    def __init__(self, store: Store, sink: Sink, lease: Lease, shared_batch: SharedBatch) -> None:
        self.sink = sink
        self.lease = lease
        self.wake_event = asyncio.Event()
        # Held during each step, and by those who must not meet one.
        self.stepping = asyncio.Lock()
        self.read_at = 0.0
        self.position = 0
        self.lease_term: LeaseTerm | None = None
        self._is_ending = False
        self._store = store
        self._shared_batch = shared_batch
        self._checkpointed = 0

    async def try_start_term(self) -> bool:
        """Start a term if this process has the lease; return whether it has."""
        if self._is_ending:
            await self.end_term()
        if self.lease_term is not None:
            return True
        lease_term = self.lease.current_term()
        if lease_term is None:
            return False
        self._store = lease_term.store
        await self._find_position()
        if isinstance(self.sink, LeasedSink):
            await self.sink.start_term(lease_term)
        self.lease_term = lease_term
        return True

    async def end_term(self) -> None:
        """End the term, if there is one."""
        if self.lease_term is None:
            return
        self._is_ending = True
        if isinstance(self.sink, LeasedSink):
            await self.sink.end_term()
        lease_term, self.lease_term = self.lease_term, None
        self._is_ending = False
        if lease_term.is_current() and not self.is_checkpointed:
            await self.checkpoint()

    async def _find_position(self) -> None:
        """Continue at the checkpoint; a new sink starts at the end of the log, or its start."""
        position = await self._store.read(lambda tx: event_log.find_position(tx, self.sink.name))
        if position is not None:
            self.position = self._checkpointed = position
            return
        if not self.sink.reads_from_start:
            self.position = await self._store.read(event_log.visible_through)
        await self.checkpoint()

    async def step(self) -> bool:
        """Pass the next events to the sink; return whether there may be more of them already.

        Each commit after the read wakes the sink, so a batch that is not full was the last one:
        another read would cost another snapshot for each commit.
        """
        batch = await self._shared_batch.read(self._store, self.position)
        if not batch:
            return False
        wanted = [event for event in batch if self.sink.wants(event)]
        is_due = bool(wanted) and await self.sink.handle(wanted)
        self.position = batch[-1].sequence
        if is_due or self.position - self._checkpointed >= limits.CHECKPOINT_EVENTS_MAX:
            await self.checkpoint()
        return len(batch) >= limits.EVENTS_PER_BATCH_MAX

    @property
    def is_checkpointed(self) -> bool:
        """Whether a restart would continue at this very position."""
        return self.position == self._checkpointed

    async def checkpoint(self) -> None:
        """Write the position."""
        position = self.position
        await self._store.write(lambda tx: event_log.save_position(tx, self.sink.name, position))
        self._checkpointed = position


class Dispatcher:
    """Runs one loop for each sink, and deletes the events that all of them have passed."""

    def __init__(
        self,
        store: Store,
        sinks: Sequence[Sink],
        clock: Clock,
        *,
        lease: Callable[[str], Lease] | None = None,
        poll_ms: int = limits.DISPATCH_POLL_MS,
        retry_ms: int = limits.SINK_RETRY_MS,
        pause_ms: int = limits.SINK_PAUSE_MS,
        retires: bool = True,
    ) -> None:
        """``poll_ms``: the fallback polling interval; ``retry_ms``: the backoff after an error.

        ``lease`` makes the lease of a name; without it no other process serves this store.
        ``pause_ms``: the least time between two reads. ``retires``: whether old events are deleted.
        """
        self._store = store
        self._clock = clock
        self._poll_seconds = poll_ms / 1000
        self._retry_seconds = retry_ms / 1000
        self._pause_seconds = pause_ms / 1000
        self._retires = retires
        of_name = lease or (lambda _name: LocalLease(store))
        self._shared_batch = SharedBatch()
        self._runners = [
            SinkRunner(store, sink, of_name(f"sink {sink.name}"), self._shared_batch)
            for sink in sinks
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Find the position of every sink, and start the loops."""
        for runner in self._runners:
            await runner.lease.start()
            await runner.try_start_term()
        self._tasks = [asyncio.create_task(self._run(runner)) for runner in self._runners]
        if self._retires:
            self._tasks.append(asyncio.create_task(self._retire()))

    def positions(self) -> dict[str, int]:
        """Return the last event that each sink has handled, by the name of the sink."""
        return {runner.sink.name: runner.position for runner in self._runners}

    def local_positions(self) -> dict[str, int | None]:
        """Return the same; None for a sink that another process runs."""
        return {
            runner.sink.name: None if runner.lease_term is None else runner.position
            for runner in self._runners
        }

    def wake(self) -> None:
        """Wake all sinks: there may be new events."""
        self._shared_batch.invalidate()
        for runner in self._runners:
            runner.wake_event.set()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Run no step of any sink during the block; afterwards the log is read again."""
        async with AsyncExitStack() as steps:
            for runner in self._runners:
                await steps.enter_async_context(runner.stepping)
            try:
                yield
            finally:
                self.wake()

    async def catch_up(self) -> None:
        """Let all sinks handle the remainder of the log. Only in ``paused``."""
        self._shared_batch.invalidate()
        for runner in self._runners:
            while runner.lease_term is not None and await runner.step():
                self._shared_batch.invalidate()

    async def stop(self) -> None:
        """Let every sink finish its batch, within the limit, and checkpoint the positions."""
        self._stopping.set()
        self.wake()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=limits.DRAIN_SECONDS_MAX)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for runner in self._runners:
            await runner.lease.stop()

    async def _run(self, runner: SinkRunner) -> None:
        """Run one sink until the stop. Errors are retried after ``retry_ms``."""
        while not self._stopping.is_set():
            try:
                if await runner.try_start_term():
                    await self._lead(runner)
                else:
                    await self._pause(self._poll_seconds)
            except Exception:
                log.exception("sink_failed", sink=runner.sink.name)
                await self._pause(self._retry_seconds)
        with failures_logged("sink_failed", sink=runner.sink.name):
            await runner.end_term()

    async def _lead(self, runner: SinkRunner) -> None:
        """Run one term of one sink, until its end or the stop. Raises the errors of the sink."""
        assert runner.lease_term is not None
        while runner.lease_term.is_current() and not self._stopping.is_set():
            runner.wake_event.clear()  # Before the read, so that a later commit wakes again.
            runner.read_at = asyncio.get_running_loop().time()
            try:
                async with runner.stepping:
                    is_more = await runner.step()
                if is_more:
                    continue
                if await self._is_quiet(runner) and not runner.is_checkpointed:
                    await runner.checkpoint()
            except LeaseLost:
                log.warning("lease_lost", sink=runner.sink.name)
                break
        if not self._stopping.is_set():
            await runner.end_term()

    async def _is_quiet(self, runner: SinkRunner) -> bool:
        """Wait for a wake-up or the next poll; return whether it was the poll."""
        try:
            async with asyncio.timeout(self._poll_seconds):
                await runner.wake_event.wait()
        except TimeoutError:
            return True
        if self._store.is_shared:
            # A read costs more there, and commits come in bursts: one read for all of them.
            await self._pause(limits.HINT_PAUSE_MS / 1000)
            return False
        # The first event after a quiet time is read at once, a burst in one read.
        since = asyncio.get_running_loop().time() - runner.read_at
        if since < self._pause_seconds:
            await self._pause(self._pause_seconds - since)
        return False

    async def _pause(self, seconds: float) -> None:
        """Wait for a time, or for the stop."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _retire(self) -> None:
        """Delete events periodically, until the stop."""
        while not self._stopping.is_set():
            removed = 0
            try:
                if self._runners and self._runners[0].lease_term is not None:
                    removed = await self.retire()
            except Exception:
                log.exception("event_purge_failed")
            # After a full step there may be more; other tasks run in between.
            is_full = removed == limits.RETIRED_EVENTS_MAX
            await self._pause(0 if is_full else limits.RETIRE_PAUSE_MS / 1000)

    async def retire(self) -> int:
        """Delete one step of events that every sink has passed and that are old enough."""
        names = [runner.sink.name for runner in self._runners]
        before_ms = self._clock.now_ms() - limits.EVENT_RETENTION_MS
        return await self._store.write(
            lambda tx: event_log.delete_old_events(tx, names, before_ms, limits.RETIRED_EVENTS_MAX)
        )
