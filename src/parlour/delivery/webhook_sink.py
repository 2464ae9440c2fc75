"""The sink of post-action webhooks: wires the parts of the delivery, and starts and ends terms.

The states of deliveries, lanes and endpoints are in ``states.py``. Delivery is at least once: the
deliveries of an event and the position of the sink are committed together, and a delivery is
pending on disk until its result is recorded. After a crash, requests without a recorded result are
repeated, under the same token.

Where several processes serve the same data, one of them runs these parts, for a lease term. The
others only log their pre-action requests. The store rejects the writes of a term that is over. See
docs/explanation/webhooks.md.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from parlour.delivery.due_poller import DuePoller
from parlour.delivery.intake import Intake
from parlour.delivery.intake_transaction import SETTINGS_EVENTS, IntakeTransaction
from parlour.delivery.result_writer import ResultWriter
from parlour.delivery.sender import Sender
from parlour.delivery.states import SyncState
from parlour.delivery.term import DeliveryTerm, Tasks, count_pending
from parlour.delivery.webhook_metrics import WebhookMetrics
from parlour.operations.open_work import OpenWork
from parlour.operations.server_parts import EndpointActivity
from parlour.store.event_log import WEBHOOK_SINK
from parlour.store.leases import LocalLeaseTerm
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from prometheus_client import Metric

    from parlour.delivery.attempts import WebhookClient
    from parlour.delivery.cpu_throttle import CpuThrottle
    from parlour.delivery.pre_action import PreActionAttempt
    from parlour.store.leases import LeaseTerm
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.event import Event


class WebhookSink:
    """Delivers events to webhooks while this process holds the lease."""

    # part          file                does
    # Intake        intake.py           events to deliveries: on disk, then in memory
    # Sender        sender.py           ready lanes to requests; queues their results
    # ResultWriter  result_writer.py    results to disk; then updates their lanes
    # DuePoller     due_poller.py       due deliveries on disk to lanes in memory
    # Lanes         lanes.py            the order of deliveries; endpoints.py: the concurrency
    #
    # The writer exists once per process, since it logs pre-action requests without a term, and so
    # do ``IntakeTransaction`` and ``WebhookMetrics``. All other parts are created for a term and
    # dropped with it.

    name: Final = WEBHOOK_SINK
    # A new sink starts at the end of the log: earlier events had no webhooks.
    reads_from_start: Final = False

    def __init__(
        self,
        store: Store,
        client: WebhookClient,
        throttle: CpuThrottle,
        clock: Clock,
        random: Random,
        *,
        studio_url: str = "",
        on_logged: Callable[[Iterable[str]], object] = frozenset,
    ) -> None:
        """``studio_url``: the server that starts Studio flows, if there is one.

        ``on_logged``: see ResultWriter.
        """
        self._store = store
        self._client = client
        self._throttle = throttle
        self._clock = clock
        self._transaction = IntakeTransaction(self.name, random, studio_url=studio_url)
        self._metrics = WebhookMetrics(clock)
        self.writer = ResultWriter(store, throttle, self._metrics, on_logged)
        self.term: DeliveryTerm | None = None
        self._intake: Intake | None = None
        self._sender: Sender | None = None
        self._poller: DuePoller | None = None
        self._loops = Tasks()

    def wants(self, event: Event) -> bool:
        """Return whether the event may have webhooks, or changes the queue."""
        return event.fires or event.name in SETTINGS_EVENTS

    async def handle(self, batch: list[Event]) -> bool:
        """Queue the deliveries of events. Only within a term.

        Returns False: the position was written together with the deliveries.
        """
        assert self._intake is not None
        await self._intake.handle(batch)
        return False

    def record(self, attempt: PreActionAttempt) -> None:
        """Queue the request of a pre-action webhook for the log. Never waits."""
        self.writer.record_pre_action(attempt)

    def metrics(self) -> Iterator[Metric]:
        """Return the metrics of webhooks, over all accounts."""
        pending = 0 if self.term is None else sum(self.term.pending.values())
        yield from self._metrics.collect(pending)

    def endpoint_activity(self, account_sid: str, url: str) -> EndpointActivity | None:
        """Return the activity of a URL, if this process has deliveries to it in memory."""
        cached = None if self.term is None else self.term.lanes.endpoints.get((account_sid, url))
        if cached is None:
            return None
        return EndpointActivity(cached.state.value, cached.sending, cached.allowed)

    def open_work(self) -> Iterator[OpenWork]:
        """Return requests in flight, results that are not recorded, and reads of the queue."""
        yield from self.writer.open_work()
        if self._sender is not None:
            yield from self._sender.open_work()
        if self._poller is not None and len(self._poller.searches):
            yield OpenWork("reads of the webhook queue", "")
        if self.term is not None and self.term.sync is not SyncState.SYNCED:
            yield OpenWork("a resync of the webhook queue", "")

    def clock_changed(self) -> None:
        """Poll for due deliveries: the clock was changed."""
        if self.term is not None:
            self.term.poll_wanted.set()

    # --- Accounts whose rows are replaced -------------------------------------------------------

    @asynccontextmanager
    async def quiesced(
        self, accounts: Callable[[str], bool], drain_seconds: float
    ) -> AsyncIterator[None]:
        """Make no request of some accounts, and write no result, during the block.

        Requests in flight have ``drain_seconds`` to end. The dispatcher is paused before, so that
        no delivery is queued. The caller replaces the rows and calls ``reload`` in the block.
        """
        term, sender = self.term, self._sender
        if term is None or sender is None:
            yield
            return
        term.is_held = accounts
        try:
            await sender.requests.cancel_of(accounts, drain_seconds)
            async with self.writer.writing:
                yield
        finally:
            term.is_held = None
            term.send_wanted.set()
            term.poll_wanted.set()
            self.writer.wake()

    async def reload(self, accounts: Callable[[str], bool]) -> None:
        """Replace the memory of some accounts by their rows. Only in ``quiesced``."""
        self.writer.drop(accounts)
        term = self.term
        if term is None or self._poller is None:
            return
        term.lanes.forget(accounts)
        term.set_counts(await self._store.read(count_pending))
        self._poller.search(each for each in term.pending if accounts(each))

    # --- Terms ----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start a term on a store that no other process uses."""
        await self.start_term(LocalLeaseTerm(self._store))

    async def start_term(self, lease_term: LeaseTerm) -> None:
        """Start to deliver, first the deliveries that are pending on disk."""
        counts = await self._store.read(count_pending)
        term = self.term = DeliveryTerm(lease_term, self._store, counts)
        poller = self._poller = DuePoller(term, self._throttle, self._clock, self._metrics)
        self._sender = Sender(term, self._client, self._throttle, self.writer.wake, self._clock)
        self._intake = Intake(
            term, self._transaction, self._throttle, self._metrics, poller, self.writer.wake
        )
        self.writer.start_term(term, poller)
        self._loops.start(self._sender.run())
        self._loops.start(poller.run())
        poller.search(term.pending)

    async def end_term(self) -> None:
        """Drain while the lease is held; otherwise abort, and the next owner continues."""
        assert self.term is not None
        if self.term.lease_term.is_current():
            await self.stop()
        else:
            await self.abort()

    async def abort(self) -> None:
        """End the term at once. Its memory is dropped; pre-action requests are still logged."""
        # Loops first, so that no new request or search starts, then the tasks that they started,
        # then the writer of the results.
        if self.term is not None:
            self.term.stop()
        await self._loops.cancel()
        for tasks in self._background():
            await tasks.cancel()
        await self.writer.cancel()
        self._discard_term()
        if self.writer.has_work:
            self.writer.ensure_running()

    async def stop(self) -> None:
        """Wait for requests in flight, within the limit, and write their results."""
        # Requests first, then the writer: it writes the results of the last ones.
        if self.term is not None:
            self.term.stop()
        await asyncio.gather(*(each.drain(limits.DRAIN_SECONDS_MAX) for each in self._background()))
        await asyncio.gather(self.writer.stop(), self._loops.drain(limits.DRAIN_SECONDS_MAX))
        self._discard_term()

    def _background(self) -> list[Tasks]:
        """Return the requests of the sender and the searches of the poller, if there is a term."""
        if self._sender is None or self._poller is None:
            return []
        return [self._sender.requests, self._poller.searches]

    def _discard_term(self) -> None:
        self.term = self._intake = self._sender = self._poller = None
