"""Reads the event log in order, hands every event to every sink, remembers how far each got.

Each sink has a loop and a position of its own, so one that fails or is slow delays nobody else.
The position is kept after the events were taken: a crash in between hands them out again, and
never loses one. That is "at least once"; a sink makes it "once" by being idempotent. Being woken
after a commit is only a hint: a sink that nobody wakes looks again after ``DISPATCH_POLL_MS``.

Where several processes serve the same data, each sink is led by one of them at a time: it has the
sink's lease (store/leases.py), goes on at the kept position when it gets it, and drops what it has
in mind when it loses it.

Many events mean nothing to a sink, or come to nothing in it. Passing them is remembered in memory
and kept now and then, since each keeping costs a commit that a request would have to wait for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import structlog

from parlour.store import event_log
from parlour.store.leases import LeaseLost, LocalLease
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parlour.store.leases import Lease, LeaseTerm
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock
    from parlour.vocabulary.event import Event

log = structlog.get_logger()


class Sink(Protocol):
    """Whoever acts on events."""

    @property
    def name(self) -> str:
        """What its position is kept under; never changed."""
        ...

    @property
    def reads_from_start(self) -> bool:
        """Whether a new sink wants the whole log, and not only what comes from now on."""
        ...

    def wants(self, event: Event) -> bool:
        """Whether the event means anything to this sink. Cheap, and never fails."""
        ...

    async def handle(self, events: list[Event]) -> bool:
        """Act on the events it wants, in order; once it returns they are done.

        Whether their position is to be kept at once: not where they came to nothing, nor where
        the sink wrote the position itself, in the transaction of what it did. What raises is
        tried again with the same events.
        """
        ...


@runtime_checkable
class LeasedSink(Protocol):
    """A sink that keeps something in mind from one batch to the next, or asks a network."""

    async def start_term(self, lease_term: LeaseTerm) -> None:
        """This process leads the sink from now on; it writes through the turn's own store."""
        ...

    async def end_term(self) -> None:
        """Not any more: finish what was begun if the turn is not over yet, or drop it."""
        ...


class SharedBatch:
    """What was read of the log last: most sinks are at the same place, and one read does for all.

    It is good until the next wake-up. A sink that has heard that one looks no further than what it
    is given here, so it must not be given what was read before.
    """

    def __init__(self) -> None:
        self._after = -1
        self._batch: list[Event] = []
        self._wakes = 0

    def forget(self) -> None:
        """There may be news."""
        self._batch = []
        self._wakes += 1

    async def read(self, store: Store, position: int) -> list[Event]:
        """The next events after a position; none only if there are none."""
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
    """One sink on its way through the log."""

    def __init__(self, store: Store, sink: Sink, lease: Lease, tail: SharedBatch) -> None:
        self.sink = sink
        self.lease = lease
        self.wake_event = asyncio.Event()
        self.read_at = 0.0
        self.position = 0
        self.lease_term: LeaseTerm | None = None
        self._store = store
        self._tail = tail
        self._checkpointed = 0

    async def try_start_term(self) -> bool:
        """Begin a turn if the lease is ours; whether it is."""
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
        """End the turn."""
        lease_term, self.lease_term = self.lease_term, None
        if lease_term is None:
            return
        if isinstance(self.sink, LeasedSink):
            await self.sink.end_term()
        if lease_term.is_current() and not self.is_checkpointed:
            await self.checkpoint()

    async def _find_position(self) -> None:
        """Go on at the kept position; a new sink begins at the log's end, or its start."""
        position = await self._store.read(lambda tx: event_log.find_position(tx, self.sink.name))
        if position is not None:
            self.position = self._checkpointed = position
            return
        if not self.sink.reads_from_start:
            self.position = await self._store.read(event_log.visible_through)
        await self.checkpoint()

    async def step(self) -> bool:
        """Hand out the next events; whether there may be more of them already.

        Whatever is committed after they were read wakes the sink, so a batch that is not full
        was all: looking once more would cost another snapshot for each commit.
        """
        batch = await self._tail.read(self._store, self.position)
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
        """Whether a restart would go on at this very position."""
        return self.position == self._checkpointed

    async def checkpoint(self) -> None:
        """Write how far the sink is."""
        position = self.position
        await self._store.write(lambda tx: event_log.save_position(tx, self.sink.name, position))
        self._checkpointed = position


class Dispatcher:
    """Runs one loop for each sink, and removes the events that all of them are past."""

    def __init__(
        self,
        store: Store,
        sinks: Sequence[Sink],
        clock: Clock,
        *,
        lease: Callable[[str], Lease] | None = None,
        poll_ms: int = limits.DISPATCH_POLL_MS,
        retry_ms: int = limits.SINK_RETRY_MS,
    ) -> None:
        """Prepare the loops; ``poll_ms`` and ``retry_ms`` are the two pauses.

        ``lease`` makes the lease of a name; without it nobody else serves this store.
        """
        self._store = store
        self._clock = clock
        self._poll_seconds = poll_ms / 1000
        self._retry_seconds = retry_ms / 1000
        of_name = lease or (lambda _name: LocalLease(store))
        self._tail = SharedBatch()
        self._runners = [
            SinkRunner(store, sink, of_name(f"sink {sink.name}"), self._tail) for sink in sinks
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Find every sink's position, and begin."""
        for runner in self._runners:
            await runner.lease.start()
            await runner.try_start_term()
        self._tasks = [asyncio.create_task(self._run(runner)) for runner in self._runners]
        self._tasks.append(asyncio.create_task(self._retire()))

    def wake(self) -> None:
        """There may be news: nobody needs to wait for the next poll."""
        self._tail.forget()
        for runner in self._runners:
            runner.wake_event.set()

    async def stop(self) -> None:
        """Let every sink end what it has begun, within the limit, and keep the positions."""
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
        """One sink's loop, until the stop. What fails is tried again after a pause."""
        while not self._stopping.is_set():
            try:
                if await runner.try_start_term():
                    await self._lead(runner)
                else:
                    await self._pause(self._poll_seconds)
            except Exception:
                log.exception("sink_failed", sink=runner.sink.name)
                await self._pause(self._retry_seconds)
        await runner.end_term()

    async def _lead(self, runner: SinkRunner) -> None:
        """One turn of one sink, until it is over or the stop. What it fails with is raised."""
        assert runner.lease_term is not None
        while runner.lease_term.is_current() and not self._stopping.is_set():
            runner.wake_event.clear()  # Before reading, so that what comes meanwhile wakes again.
            runner.read_at = asyncio.get_running_loop().time()
            try:
                if await runner.step():
                    continue
                if await self._is_quiet(runner) and not runner.is_checkpointed:
                    await runner.checkpoint()
            except LeaseLost:
                log.warning("lease_lost", sink=runner.sink.name)
                break
        if not self._stopping.is_set():
            await runner.end_term()

    async def _is_quiet(self, runner: SinkRunner) -> bool:
        """Wait for a wake-up or the next poll; whether nobody woke the sink."""
        try:
            async with asyncio.timeout(self._poll_seconds):
                await runner.wake_event.wait()
        except TimeoutError:
            return True
        if self._store.is_shared:
            # A look costs more there, and commits come in crowds: one for all of them.
            await self._pause(limits.HINT_PAUSE_MS / 1000)
            return False
        # Without a crowd the first event after a while is read at once.
        since = asyncio.get_running_loop().time() - runner.read_at
        if since < limits.SINK_PAUSE_MS / 1000:
            await self._pause(limits.SINK_PAUSE_MS / 1000 - since)
        return False

    async def _pause(self, seconds: float) -> None:
        """Wait, but not beyond a stop."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _retire(self) -> None:
        """Remove what every sink is past, now and then, until the stop."""
        while not self._stopping.is_set():
            removed = 0
            try:
                if self._runners and self._runners[0].lease_term is not None:
                    removed = await self.retire()
            except Exception:
                log.exception("event_purge_failed")
            # A full step may leave more; others get a turn in between.
            is_full = removed == limits.RETIRED_EVENTS_MAX
            await self._pause(0 if is_full else limits.RETIRE_PAUSE_MS / 1000)

    async def retire(self) -> int:
        """Remove one step of events that every sink is past and that are old enough."""
        names = [runner.sink.name for runner in self._runners]
        before_ms = self._clock.now_ms() - limits.EVENT_RETENTION_MS
        return await self._store.write(
            lambda tx: event_log.delete_old_events(tx, names, before_ms, limits.RETIRED_EVENTS_MAX)
        )
