"""The outbox during one lease term: a queue for each carrier, and the writer of their results."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from parlour.channels.outbox_queue import CarrierQueue
from parlour.channels.outbox_writer import OutboxWriter
from parlour.resources.inbox import store as inbox_store
from parlour.resources.outbox import queue as outbox_queue
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from parlour.channels.carrier import Carrier
    from parlour.channels.outbox_metrics import CarrierMetrics
    from parlour.channels.outbox_policy import SubmissionPolicy
    from parlour.operations.open_work import OpenWork
    from parlour.store.leases import LeaseTerm
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random

log = structlog.get_logger()

NO_ROUTE: Final = ""
"""The carrier of submissions whose sender no route covers."""


class OutboxTerm:
    """The memory of the outbox in one term; its rows are on disk, and the next term reads them."""

    # Flow of a submission through the parts:
    #
    #   rows ─► CarrierQueue ─► Carrier ─► OutboxWriter ─► rows
    #              ▲───────── released ◄───────┘

    def __init__(
        self,
        lease_term: LeaseTerm,
        reads: Store,
        carriers: Mapping[str, Carrier],
        *,
        policy: SubmissionPolicy,
        metrics: CarrierMetrics,
        clock: Clock,
        random: Random,
        debounce_ms: int,
    ) -> None:
        """``reads``: the store to read from; writes go through the store of ``lease_term``.

        ``debounce_ms``: the delay after `wake`.
        """
        self.lease_term = lease_term
        self.reads = reads
        self.policy = policy
        self.metrics = metrics
        self.clock = clock
        self.random = random
        self.debounce_ms = debounce_ms
        self.is_stopping = False
        # Which accounts are not sent for now, because their rows are being replaced; None: all are.
        self.is_held: Callable[[str], bool] | None = None
        self._carriers = carriers
        self._queues: dict[str, CarrierQueue] = {}
        self.writer = OutboxWriter(lease_term)
        self._loops: set[asyncio.Task[None]] = set()
        self._writing: asyncio.Task[None] | None = None
        self._measuring: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to send."""
        self._writing = asyncio.create_task(self.writer.run())
        self._add_queue(NO_ROUTE, None)
        for name, carrier in self._carriers.items():
            self._add_queue(name, carrier)
        self._measuring = asyncio.create_task(self._measure())

    def wake(self) -> None:
        """Look for due submissions soon."""
        for each in self._queues.values():
            each.wake()

    def clock_changed(self) -> None:
        """Look for due submissions now."""
        for each in self._queues.values():
            each.clock_changed()

    def open_work(self) -> Iterator[OpenWork]:
        """Return submissions in flight and results that are not on disk."""
        for each in self._queues.values():
            yield from each.open_work()
        yield from self.writer.open_work()

    @asynccontextmanager
    async def quiesced(
        self, accounts: Callable[[str], bool], drain_seconds: float
    ) -> AsyncIterator[None]:
        """Send nothing for some accounts, and write no result, during the block.

        Submissions in flight have ``drain_seconds`` to end. Afterwards the rows are read again.
        """
        self.is_held = accounts
        try:
            queues = tuple(self._queues.values())
            await asyncio.gather(*(each.drop(accounts, drain_seconds) for each in queues))
            async with self.writer.writing:
                self.writer.drop(accounts)
                yield
        finally:
            self.is_held = None
            self.wake()

    async def stop(self) -> None:
        """Wait for submissions in flight, within the limit, and write their results."""
        self.is_stopping = True
        queues = self._queues.values()
        for each in queues:
            each.stop()
        # A queue that reads from the store ends after that.
        if self._loops:
            await asyncio.wait(set(self._loops), timeout=limits.DRAIN_SECONDS_MAX)
        await asyncio.gather(*(each.drain(limits.DRAIN_SECONDS_MAX) for each in queues))
        self.writer.stop()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=limits.DRAIN_SECONDS_MAX)
        await self.abort()

    async def abort(self) -> None:
        """End the term at once; the next owner repeats the submissions without a result."""
        self.is_stopping = True
        await self._cancel(self._loops)
        await asyncio.gather(*(each.drain(0) for each in self._queues.values()))
        background = (self._writing, self._measuring)
        await self._cancel({each for each in background if each is not None})

    @staticmethod
    async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _add_queue(self, name: str, carrier: Carrier | None) -> None:
        queue = self._queues[name] = CarrierQueue(name, carrier, self)
        task = asyncio.create_task(queue.run())
        self._loops.add(task)
        task.add_done_callback(self._loops.discard)

    async def _measure(self) -> None:
        """Read the lengths of the queues periodically; a name without a carrier gets a queue."""
        while not self.is_stopping:
            with failures_logged("outbox_measure_failed"):
                self.metrics.inbox = await self.reads.read(inbox_store.measure)
                self.metrics.queue_lengths = await self.reads.read(outbox_queue.queue_lengths)
                for name in self.metrics.queue_lengths.keys() - self._queues.keys():
                    log.warning("carrier_lookup_failed", carrier=name)
                    self._add_queue(name, None)
            await asyncio.sleep(limits.OUTBOX_METRICS_MS / 1000)
