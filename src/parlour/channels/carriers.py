"""The lifecycle of carriers: one node starts them and runs the outbox, under a lease.

| state | next |
|---|---|
| waiting | leading: this process has the lease `carriers` |
| leading | waiting: the lease is lost, and the term was aborted; stopped: the term was drained |
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from parlour.channels.outbox_metrics import CarrierMetrics
from parlour.channels.outbox_policy import SubmissionPolicy
from parlour.channels.outbox_term import OutboxTerm
from parlour.channels.reports import Reports
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from prometheus_client import Metric

    from parlour.channels.carrier import Carrier
    from parlour.operations.open_work import OpenWork
    from parlour.store.leases import Lease, LeaseTerm
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.scope import Scope

log = structlog.get_logger()


class Carriers:
    """The carriers of one process."""

    def __init__(
        self,
        store: Store,
        carriers: Mapping[str, Carrier],
        lease: Lease,
        clock: Clock,
        random: Random,
        media_url: Callable[[Scope, str], str],
        *,
        debounce_ms: int = limits.OUTBOX_DEBOUNCE_MS,
    ) -> None:
        """``carriers`` by name; they are started and stopped here.

        ``media_url`` returns the signed URL of an outbound medium; empty without a public URL.
        ``debounce_ms``: the delay between a commit and the next read.
        """
        self.metrics = CarrierMetrics()
        self.reports = Reports(store, clock, self.metrics)
        self._store = store
        self._carriers = carriers
        self._lease = lease
        self._policy = SubmissionPolicy(media_url)
        self._clock = clock
        self._random = random
        self._debounce_ms = debounce_ms
        self._term: OutboxTerm | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def collect(self) -> Iterator[Metric]:
        """Return the metrics of all carriers."""
        yield from self.metrics.collect(self._carriers)

    def wake(self) -> None:
        """Look for new submissions soon: something was committed."""
        if self._term is not None:
            self._term.wake()

    def clock_changed(self) -> None:
        """Look for due submissions now."""
        if self._term is not None:
            self._term.clock_changed()

    def open_work(self) -> Iterator[OpenWork]:
        """Return submissions in flight and results that are not on disk."""
        if self._term is not None:
            yield from self._term.open_work()

    @asynccontextmanager
    async def quiesced(
        self, accounts: Callable[[str], bool], drain_seconds: float
    ) -> AsyncIterator[None]:
        """Send nothing for some accounts, and write no result, during the block."""
        if self._term is None:
            yield
            return
        async with self._term.quiesced(accounts, drain_seconds):
            yield

    async def start(self) -> None:
        """Start the carriers as soon as this process has the lease."""
        await self._lease.start()
        self._task = asyncio.create_task(self._run(), name="carriers")

    async def stop(self) -> None:
        """Record the submissions in flight, within the limit, and stop the carriers."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await self._lease.stop()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            lease_term = self._lease.current_term()
            if lease_term is None:
                await self._pause(limits.OUTBOX_POLL_MS)
                continue
            with failures_logged("carriers_failed"):
                await self._lead(lease_term)
                continue
            await self._pause(limits.SINK_RETRY_MS)

    async def _lead(self, lease_term: LeaseTerm) -> None:
        """Run one term, until its end or the stop."""
        term = OutboxTerm(
            lease_term,
            self._store,
            self._carriers,
            policy=self._policy,
            metrics=self.metrics,
            clock=self._clock,
            random=self._random,
            debounce_ms=self._debounce_ms,
        )
        try:
            for name, carrier in self._carriers.items():
                with failures_logged("carrier_start_failed", carrier=name):
                    await carrier.start()
            self._term = term
            term.start()
            while lease_term.is_current() and not self._stopping.is_set():
                await self._pause(limits.OUTBOX_POLL_MS)
            if lease_term.is_current():
                await term.stop()
        finally:
            self._term = None
            await term.abort()
            for name, carrier in self._carriers.items():
                with failures_logged("carrier_stop_failed", carrier=name):
                    await carrier.stop()

    async def _pause(self, milliseconds: int) -> None:
        """Wait for a time, or for the stop."""
        try:
            async with asyncio.timeout(milliseconds / 1000):
                await self._stopping.wait()
        except TimeoutError:
            return
