"""The result writer: records the results of attempts on disk, many in one transaction.

It also writes the requests of pre-action webhooks into the webhook log. Every process makes such
requests, so the writer runs with or without a term.

A batch stays queued until it is written, so a failed write is retried. Each attempt keeps the SID
that the first write chose for it: after an unknown commit the repetition logs none twice. When the
connection to the database breaks during a commit, its outcome is unknown, and so are the rows of
the lanes; when reading the remainder of a lane fails, its rows are missing in memory. In both cases
the memory is rebuilt from disk after the batch is written: all lanes are invalidated, pending
deliveries are counted, and all endpoints are searched (``SyncState`` in ``states.py``).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from parlour.delivery.pre_action_log import write_pre_action
from parlour.delivery.states import SyncState
from parlour.delivery.term import count_pending, count_pending_of
from parlour.delivery.write_queue import WriteQueue
from parlour.operations.open_work import OpenWork
from parlour.resources.scoped_webhooks import store as scoped_webhook_store
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_endpoints import store as webhook_endpoint_store
from parlour.store import webhook_queue
from parlour.store.leases import LeaseLost
from parlour.vocabulary import crash_points, limits
from parlour.vocabulary.crash_points import crash_point
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from parlour.delivery.attempts import AttemptResult
    from parlour.delivery.cpu_throttle import CpuThrottle
    from parlour.delivery.due_poller import DuePoller
    from parlour.delivery.lanes import Lane
    from parlour.delivery.pre_action import PreActionAttempt
    from parlour.delivery.term import DeliveryTerm
    from parlour.delivery.webhook_metrics import WebhookMetrics
    from parlour.delivery.write_queue import QueuedEntry
    from parlour.resources.webhook_attempts.store import WebhookAttempt
    from parlour.store.transaction import Store, Transaction
    from parlour.store.webhook_queue import WebhookDelivery

log = structlog.get_logger()

Batch = list["QueuedEntry[tuple[Lane, AttemptResult]]"]
PreActions = list["QueuedEntry[PreActionAttempt]"]


class _Recorded(msgspec.Struct):
    """The results of a batch as written, and which lanes have a new head on disk.

    ``was_pending``: for each result, whether its delivery was still pending.
    """

    promoted: set[tuple[str, int]]
    results: list[AttemptResult]
    was_pending: list[bool]


class ResultWriter:
    """Writes results and pre-action requests in batches, in one task."""

    # Steps of a batch:
    #
    #   1. commit results, log entries and new heads of lanes
    #   2. for each result: remove it from the queue, update its lane, refill the lane from disk
    #
    # A crash before 1 repeats the requests, under the same tokens. After an error the results that
    # are still queued are written again, and then the memory is rebuilt (SyncState.RESYNC): where
    # the first commit did succeed, deliveries that are no longer pending stay as they are.
    #
    # A lane is updated only after 1, so it stays in memory while its row on disk is outdated.

    def __init__(
        self,
        store: Store,
        throttle: CpuThrottle,
        metrics: WebhookMetrics,
        on_logged: Callable[[Iterable[str]], object] = frozenset,
    ) -> None:
        """``store``: for pre-action requests; results go through the store of their term.

        ``on_logged`` is called after each write, with the accounts that have new log entries;
        the default does nothing.
        """
        self._on_logged = on_logged
        self._store = store
        self._throttle = throttle
        self._metrics = metrics
        self._pre_actions: WriteQueue[PreActionAttempt] = WriteQueue()
        self._term: DeliveryTerm | None = None
        self._poller: DuePoller | None = None
        self._write_wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        # Held during each write and resync: who holds it as well sees none half done.
        self.writing = asyncio.Lock()

    # --- Running --------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether results or pre-action requests are queued."""
        return bool(self._pre_actions) or (self._term is not None and bool(self._term.results))

    def open_work(self) -> Iterator[OpenWork]:
        """Return the entries that are not in the log yet."""
        accounts = [] if self._term is None else self._term.results.account_sids()
        for account_sid in {*accounts, *self._pre_actions.account_sids()}:
            yield OpenWork("entries of the webhook log", account_sid)

    def start_term(self, term: DeliveryTerm, poller: DuePoller) -> None:
        """Write the results of this term from now on."""
        self._term, self._poller = term, poller
        self._is_stopping = False
        self.ensure_running()

    def ensure_running(self) -> None:
        """Start the task if there is none."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Write soon."""
        self._write_wanted.set()

    async def stop(self) -> None:
        """Write the queued entries, within the limit, and end the term."""
        self._is_stopping = True
        self.wake()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=limits.DRAIN_SECONDS_MAX)
        await self.cancel()

    async def cancel(self) -> None:
        """End the term at once; the next owner repeats the attempts that are not recorded."""
        # A write in progress is cancelled, too: it must not change the memory of the next term.
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._term = self._poller = None

    async def _run(self) -> None:
        while not self._is_stopping or self.has_work:
            if not self.has_work and not self._must_read():
                self._write_wanted.clear()
                await self._write_wanted.wait()
            elif not await self._try_step():
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)

    async def _try_step(self) -> bool:
        """Write the first results, and resync if necessary; return False after an error."""
        async with self.writing:
            return await self._try_write() and await self._try_resync()

    def drop(self, accounts: Callable[[str], bool]) -> None:
        """Drop the queued entries of some accounts without their rows. Only under ``writing``."""
        self._pre_actions.drop(accounts)
        if self._term is not None:
            self._term.results.drop(accounts)

    async def _try_write(self) -> bool:
        """Write the first results; return False after an error, whose retry has a backoff."""
        try:
            await self._write_batch()
        except LeaseLost:
            # The fence rejected the transaction as a whole, and the next owner sends these
            # deliveries again.
            self._drop_results()
        except Exception:
            log.exception("webhook_result_write_failed", waiting=self._waiting())
            self._request_resync()
            return False
        return True

    async def _try_resync(self) -> bool:
        """Rebuild the memory, or count replays, if necessary; return whether it succeeded."""
        try:
            await self._resync()
            await self._recount()
        except Exception:
            log.exception("webhook_resync_failed")
            return False
        return True

    def _waiting(self) -> int:
        return 0 if self._term is None else len(self._term.results)

    def _drop_results(self) -> None:
        """Drop the queued results."""
        if self._term is not None:
            self._term.results.clear()

    # --- Sync -----------------------------------------------------------------------------------

    def _must_read(self) -> bool:
        """Return whether the memory of the term lacks something that is on disk."""
        term = self._term
        return term is not None and (term.sync is SyncState.RESYNC or bool(term.recounts))

    def _request_resync(self) -> None:
        """Rebuild the memory after the next write; an unknown intake does so anyway."""
        if self._term is not None and self._term.sync is SyncState.SYNCED:
            self._term.enter(SyncState.RESYNC)

    async def _resync(self) -> None:
        """Rebuild the memory of the term from disk, if necessary."""
        term = self._term
        if term is None or term.sync is not SyncState.RESYNC:
            return
        # Under the lock no delivery of the intake is between its commit and its count in memory, so
        # none is counted twice.
        async with term.enqueuing:
            if term.sync is not SyncState.RESYNC:
                return  # A commit of the intake is unknown: resync after its repetition.
            term.set_counts(await term.reads.read(count_pending))
            term.lanes.invalidate_all()
            term.enter(SyncState.SYNCED)
        assert self._poller is not None
        self._poller.search(term.pending)

    async def _recount(self) -> None:
        """Count the pending deliveries of accounts with a replay that may be counted already."""
        term = self._term
        if term is None or not term.recounts:
            return
        # As above; and no result is written in the meantime, as this task writes them.
        async with term.enqueuing:
            for account_sid in tuple(term.recounts):
                count = partial(count_pending_of, account_sid=account_sid)
                term.set_count(account_sid, await term.reads.read(count))

    # --- Writing --------------------------------------------------------------------------------

    def record_pre_action(self, attempt: PreActionAttempt) -> None:
        """Queue the request of a pre-action webhook for the log. Never waits.

        Requests of an account beyond its share of the queue are not logged.
        """
        self._metrics.outcomes[attempt.outcome] += 1
        account_sid = attempt.scope.account_sid
        if self._pre_actions.has_room(account_sid, limits.PRE_ACTIONS_UNRECORDED_MAX):
            self._pre_actions.add(account_sid, attempt)
        self.wake()
        self.ensure_running()

    async def _write_batch(self) -> None:
        """Write the first results in one transaction; then update their lanes."""
        term = self._term
        batch = [] if term is None else term.results.first(limits.ATTEMPTS_UNRECORDED_MAX)
        pre_actions = self._pre_actions.first(limits.PRE_ACTIONS_PER_WRITE_MAX)
        if not batch and not pre_actions:
            return
        accounts = [each.account_sid for each in batch]
        accounts += [each.account_sid for each in pre_actions]
        store = self._store if term is None or not batch else term.lease_term.store
        written = await store.write(
            lambda tx: self._throttle.metered_for_all(_write(batch, pre_actions, tx), accounts)
        )
        crash_point(crash_points.RESULTS_RECORDED)
        for _ in pre_actions:
            self._pre_actions.written()
        self._on_logged(set(accounts))
        if term is not None:
            await self._update_lanes(term, batch, written)

    async def _update_lanes(self, term: DeliveryTerm, batch: Batch, written: _Recorded) -> None:
        lanes = (each.entry[0] for each in batch)
        can_refill = True
        for lane, result, was_pending in zip(
            lanes, written.results, written.was_pending, strict=True
        ):
            term.results.written()
            account_sid = result.delivery.account_sid
            if result.was_sent:
                self._metrics.outcomes[result.outcome] += 1
            if result.is_done and was_pending:
                term.pending[account_sid] -= 1
            due_ms = result.due_ms if was_pending else None
            is_promoted = (account_sid, lane.key) in written.promoted
            if term.lanes.recorded(lane, due_ms, is_promoted=is_promoted):
                can_refill = can_refill and await self._refill(term, lane)
        term.send_wanted.set()
        term.poll_wanted.set()

    async def _refill(self, term: DeliveryTerm, lane: Lane) -> bool:
        """Read the next deliveries of a lane; return whether that succeeded."""
        # After a failure the lane stays without them until the resync, which invalidates all lanes.
        account_sid = lane.endpoint.key[0]
        try:
            found = await term.reads.read(
                lambda tx: webhook_queue.following(tx, account_sid, lane.key, lane.tail_order)
            )
        except Exception:
            log.exception("webhook_lane_refill_failed", account_sid=account_sid)
            self._request_resync()
            return False
        term.lanes.refill(lane, found)
        return True


async def _write(batch: Batch, pre_actions: PreActions, tx: Transaction) -> _Recorded:
    """Record the results of some attempts and log some pre-action requests."""
    lanes: dict[tuple[str, int], None] = {}
    results: list[AttemptResult] = []
    was_pending: list[bool] = []
    logged: list[tuple[str, WebhookAttempt]] = []
    for queued in batch:
        lane, made = queued.entry
        delivery = made.delivery
        is_retried = made.was_sent and not made.is_done
        is_stopped = is_retried and await _is_detached(tx, delivery)
        result = made.stopped() if is_stopped else made
        results.append(result)
        count = await webhook_queue.record_result(
            tx, delivery, result.state, result.retry_count, result.due_ms
        )
        was_pending.append(bool(count))
        if result.was_sent:
            attempt = result.attempt(_attempt_sid(tx, queued))
            await webhook_attempt_store.insert_attempt(tx, attempt)
            logged.append((delivery.url, attempt))
        if result.is_done:
            lanes[delivery.account_sid, lane.key] = None
    promoted = {lane for lane in lanes if await webhook_queue.promote(tx, *lane)}
    logged += [
        await write_pre_action(tx, each.entry, _attempt_sid(tx, each)) for each in pre_actions
    ]
    for endpoint in webhook_endpoint_store.endpoints_of(logged):
        await webhook_endpoint_store.save_endpoint(tx, endpoint)
    return _Recorded(promoted, results, was_pending)


def _attempt_sid(tx: Transaction, queued: QueuedEntry[Any]) -> str:
    """Return the SID of an entry in the log, chosen by its first write."""
    if queued.sid is None:
        queued.sid = webhook_attempt_store.new_attempt_sid(tx)
    return queued.sid


async def _is_detached(tx: Transaction, delivery: WebhookDelivery) -> bool:
    """Return whether the webhook of a delivery was deleted from a conversation that remains."""
    if delivery.webhook_sid is None:
        return False
    scope = Scope(delivery.account_sid)
    sids = (delivery.conversation_sid, delivery.webhook_sid)
    return await scoped_webhook_store.is_scoped_webhook_detached(tx, scope, *sids)
