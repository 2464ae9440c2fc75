"""The sink of post-action webhooks: from events to a queue on disk, and from there to receivers.

Three loops stand behind it. The pump sends what the lanes have next, as the governor allows. The
noter writes what came of attempts, many in one transaction. The poller reads from disk what is due
and not in memory (`delivery/due_poller.py`). Each of them takes the accounts in turn.

Where several processes serve the same data, one of them leads the sink, for a turn; the others
only write what they asked before actions. What a turn wrote after it was over is not kept.

Nothing is lost: an event's deliveries and the sink's position are one transaction, and a delivery
is pending on disk until its result is. After a crash what was not noted is sent again, under the
same token. An event that nobody hears takes no transaction. Where a commit is in doubt, since the
database went away before it answered, what is in memory is given up for what is on disk then. See
docs/explanation/webhooks.md.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import structlog

from parlour.delivery import webhook_queue as queue
from parlour.delivery.attempts import AttemptResult  # noqa: TC001 - msgspec reads it.
from parlour.delivery.due_poller import DuePoller, wait_for
from parlour.delivery.intake import SETTINGS_EVENTS, Intake
from parlour.delivery.lanes import Lane, Lanes
from parlour.delivery.pre_action_log import write_pre_action
from parlour.delivery.webhook_metrics import WebhookMetrics
from parlour.delivery.write_queue import WriteQueue
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.store.event_log import WEBHOOK_SINK
from parlour.store.leases import LeaseLost, LocalLeaseTerm
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import crash_points, limits
from parlour.vocabulary.crash_points import crash_point

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable, Iterator

    from prometheus_client import Metric

    from parlour.delivery.attempts import WebhookClient
    from parlour.delivery.cpu_throttle import CpuThrottle
    from parlour.delivery.intake import Enqueued, Matched
    from parlour.delivery.pre_action import PreActionAttempt
    from parlour.resources.webhook_attempts.store import WebhookDelivery
    from parlour.store.leases import LeaseTerm
    from parlour.store.transaction import Store, Transaction, Work
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.event import Event

T = TypeVar("T")

log = structlog.get_logger()

_NEVER_MS: Final = limits.INTEGER_MAX


class _Recorded(msgspec.Struct):
    """Which lanes have a new head on disk, and which results were written of pending deliveries."""

    promoted: set[tuple[str, int]]
    results: list[AttemptResult]
    was_pending: list[bool]


class WebhookSink:
    """Takes events, and sees to it that every webhook that is to hear of one does."""

    name: Final = WEBHOOK_SINK
    # Events from before the first start had nobody to hear of them.
    reads_from_start: Final = False

    def __init__(
        self,
        store: Store,
        attempts: WebhookClient,
        throttle: CpuThrottle,
        clock: Clock,
        random: Random,
        *,
        studio_url: str = "",
    ) -> None:
        """``studio_url``: where flows are started, if anywhere."""
        self._store = store
        self._attempts = attempts
        self._throttle = throttle
        self._clock = clock
        self._intake = Intake(self.name, random, studio_url=studio_url)
        self._lanes = Lanes()
        self._pending: Counter[str] = Counter()
        self._results: WriteQueue[tuple[Lane, AttemptResult]] = WriteQueue()
        self._pre_actions: WriteQueue[PreActionAttempt] = WriteQueue()
        self._figures = WebhookMetrics(clock)
        self._outcomes = self._figures.outcomes
        self._lease_term: LeaseTerm = LocalLeaseTerm(store)
        self._send_wanted, self._results_ready = asyncio.Event(), asyncio.Event()
        self._poller = DuePoller(store, throttle, clock, self._lanes, self._send_wanted.set)
        self._loops: list[asyncio.Task[None]] = []
        self._writer_task: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        # The latest time that was seen; a later one than now makes the next look cap what is due.
        self._latest_ms = _NEVER_MS
        self._enqueuing = asyncio.Lock()
        # A commit is in doubt: of the intake, which is tried again, and of any, to start over then.
        self._intake_outcome_unknown = self._must_resync = False

    # --- From events to the queue.

    def wants(self, event: Event) -> bool:
        """Whether webhooks may hear of it, or it changes what they hear."""
        return event.fires or event.name in SETTINGS_EVENTS

    async def handle(self, events_taken: list[Event]) -> bool:
        """Queue what the events are to be told as, a few events in one transaction."""
        step = limits.EVENTS_PER_ENQUEUING_MAX
        for start in range(0, len(events_taken), step):
            await self._throttle.wait()
            crash_point(crash_points.EVENT_READ)
            chunk = events_taken[start : start + step]
            matched = await self._lease_term.store.read(
                self._measured(partial(self._intake.match, chunk))
            )
            if matched or self._intake_outcome_unknown:
                await self._enqueue(matched, chunk[-1].sequence)
        crash_point(crash_points.POSITION)
        return False  # Whatever was queued, was queued together with the position.

    async def _enqueue(self, matched: list[Matched], last: int) -> None:
        """Queue what some events are to be told as, up to the one with the number ``last``."""
        async with self._enqueuing:
            try:
                made = await self._lease_term.store.write(
                    self._measured(partial(self._intake.enqueue, matched, last, self._pending))
                )
            except Unavailable:
                self._intake_outcome_unknown = True
                raise
            crash_point(crash_points.QUEUED)
            if self._intake_outcome_unknown:
                self._lanes.invalidate_all()  # What is new now may be behind what was not.
            self._begin(made)
        if self._intake_outcome_unknown:
            # What is on disk since the time before was not new now, and is not in memory.
            self._intake_outcome_unknown = False
            self._must_resync = True
            self._results_ready.set()

    def _measured(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> Work[T]:
        """Work on the store whose steps the governor counts; waiting for a database is none."""
        return lambda tx: self._throttle.metered(work(tx))

    def _begin(self, made: Enqueued) -> None:
        """What was queued is on disk: send it."""
        if made.unreadable:
            self._outcomes[webhook_attempt_store.UNREADABLE] += made.unreadable
        for delivery in made.ended:
            self._outcomes[delivery.state] += 1
            self._pending[delivery.account_sid] -= 1
            self._lanes.invalidate(delivery.account_sid, delivery.url, delivery.lane)
        for delivery in made.queued:
            self._pending[delivery.account_sid] += 1
            self._lanes.offer(delivery)
        for account_sid, count in made.reopened_of.items():
            self._pending[account_sid] += count
            self._start(self._poller.find_endpoints([account_sid]))
        self._send_wanted.set()
        self._poller.wake()

    # --- Running.

    async def start(self) -> None:
        """Begin on a store that nobody else serves."""
        await self.start_term(self._lease_term)

    async def start_term(self, lease_term: LeaseTerm) -> None:
        """Begin a turn, with what was left by the last one."""
        self._lease_term = lease_term
        self._latest_ms = _NEVER_MS
        self._pending = Counter(await self._store.read(queue.counts))
        self._lanes = self._poller.lanes = Lanes()
        self._results.clear()
        self._intake_outcome_unknown = self._must_resync = False
        self._ensure_writer()
        self._loops = [asyncio.create_task(loop) for loop in (self._pump(), self._poll_due())]
        self._start(self._poller.find_endpoints(list(self._pending)))

    async def end_term(self) -> None:
        """Stop in order if the turn is not over yet, or leave all to the next owner."""
        if self._lease_term.is_current():
            await self.stop()
            return
        # What is being noted too: it must not touch what the next turn has in memory.
        tasks = [
            *self._loops,
            *self._sending,
            *([] if self._writer_task is None else [self._writer_task]),
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loops, self._writer_task = [], None
        self._pending.clear()
        self._results.clear()
        if self._pre_actions:
            self._ensure_writer()

    def _ensure_writer(self) -> None:
        """Have somebody write results, and what was asked before actions, whoever leads."""
        if self._writer_task is None or self._writer_task.done():
            self._writer_task = asyncio.create_task(self._write_results())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def stop(self) -> None:
        """Let what is on its way end, within the limit, and write what came of it."""
        self._is_stopping = True
        self._send_wanted.set()
        self._poller.stop()
        if self._sending:
            _, late = await asyncio.wait(set(self._sending), timeout=limits.DRAIN_SECONDS_MAX)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._results_ready.set()
        loops = [*self._loops, *([] if self._writer_task is None else [self._writer_task])]
        self._loops, self._writer_task = [], None
        if not loops:
            return
        _, late_loops = await asyncio.wait(loops, timeout=limits.DRAIN_SECONDS_MAX)
        for loop in late_loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    # --- Sending.

    def _may_go_on(self, wait_ms: float) -> Callable[[Hashable], bool] | None:
        """Which accounts may send now; None for all of them. ``wait_ms``: the governor's."""
        is_full = len(self._results) >= limits.ATTEMPTS_UNRECORDED_MAX
        if not is_full and wait_ms <= 0:
            return None
        return lambda account: (
            (not is_full or not self._results.count_of(str(account)))
            and (wait_ms <= 0 or self._throttle.has_credit(str(account)))
        )

    async def _pump(self) -> None:
        begun = 0
        while not self._is_stopping:
            self._send_wanted.clear()
            wait_ms = self._throttle.wait_ms()
            lane = self._lanes.next_lane(self._may_go_on(wait_ms))
            if lane is None:
                is_delayed = wait_ms > 0 and self._lanes.has_ready_lane
                await wait_for(self._send_wanted, wait_ms if is_delayed else None)
                continue
            self._start(self._throttle.metered(self._send(lane), lane.endpoint.key[0]))
            begun += 1
            if not begun % limits.WEBHOOKS_STARTED_PER_LOOP_TURN:
                await asyncio.sleep(0)

    async def _send(self, lane: Lane) -> None:
        """One attempt, and on to the next of its lane. What came of it is noted meanwhile."""
        result = await self._attempt(lane.waiting[0])
        self._results.add(lane.endpoint.key[0], (lane, result))
        self._lanes.ended(lane, is_done=result.is_done, timed_out=result.timed_out)
        self._results_ready.set()
        self._send_wanted.set()

    async def _attempt(self, delivery: WebhookDelivery) -> AttemptResult:
        while True:  # Ends when the store says what to sign with, or with the turn.
            try:
                return await self._attempts.attempt(delivery, self._lease_term.is_current)
            except (Busy, Unavailable):
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)

    # --- Noting.

    def record(self, asked: PreActionAttempt) -> None:
        """Put the request of a pre-action webhook into the log, soon. Never waits."""
        self._outcomes[asked.outcome] += 1
        account_sid = asked.scope.account_sid
        if self._pre_actions.has_room(account_sid, limits.PRE_ACTIONS_UNRECORDED_MAX):
            self._pre_actions.add(account_sid, asked)
        self._results_ready.set()
        self._ensure_writer()

    async def _write_results(self) -> None:
        while not self._is_stopping or self._sending or self._results or self._pre_actions:
            if not self._results and not self._pre_actions and not self._must_resync:
                self._results_ready.clear()
                await self._results_ready.wait()
                continue
            try:
                await self._write_batch()
                if self._must_resync:
                    await self._resync()
            except LeaseLost:
                self._results.clear()  # The next owner makes these attempts once more.
            except Exception:
                self._must_resync = bool(self._loops)  # Who does not lead has nothing in memory.
                log.exception("webhook_result_write_failed", waiting=len(self._results))
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)

    async def _resync(self) -> None:
        """Know again what is on disk, after a commit of which nobody knew whether it was one."""
        if self._lease_term.is_current():
            async with self._enqueuing:  # Nothing else counts meanwhile.
                self._pending = Counter(await self._store.read(queue.counts))
            self._lanes.invalidate_all()
            self._start(self._poller.find_endpoints(list(self._pending)))
        self._must_resync = False

    async def _write_batch(self) -> None:
        """Write what came of some attempts, in one transaction; then their lanes go on."""
        batch = self._results.first(limits.ATTEMPTS_UNRECORDED_MAX)
        asked = self._pre_actions.first(limits.PRE_ACTIONS_PER_WRITE_MAX)
        if not batch and not asked:
            return
        store = self._lease_term.store if batch else self._store
        whose = [result.delivery.account_sid for _, result in batch]
        whose += [each.scope.account_sid for each in asked]
        written = await store.write(
            lambda tx: self._throttle.metered_for_all(self._write(batch, asked, tx), whose)
        )
        crash_point(crash_points.RESULTS_RECORDED)
        for _ in asked:
            self._pre_actions.written()
        lanes = (lane for lane, _ in batch)
        for lane, result, was_pending in zip(
            lanes, written.results, written.was_pending, strict=True
        ):
            self._results.written()
            account_sid = result.delivery.account_sid
            if result.was_sent:
                self._outcomes[result.outcome] += 1
            if result.is_done and was_pending:
                self._pending[account_sid] -= 1
            due_ms = result.due_ms if was_pending else None
            is_promoted = (account_sid, lane.key) in written.promoted
            if self._lanes.recorded(lane, due_ms, is_promoted=is_promoted):
                await self._refill(lane)
        self._send_wanted.set()
        self._poller.wake()

    async def _write(
        self,
        batch: list[tuple[Lane, AttemptResult]],
        asked: list[PreActionAttempt],
        tx: Transaction,
    ) -> _Recorded:
        """One transaction with what came of some attempts."""
        lanes: dict[tuple[str, int], None] = {}
        results: list[AttemptResult] = []
        was_pending: list[bool] = []
        for lane, made in batch:
            delivery = made.delivery
            is_retried = made.was_sent and not made.is_done
            is_stopped = is_retried and await queue.is_detached(tx, delivery)
            result = made.stopped() if is_stopped else made
            results.append(result)
            count = await queue.record_result(
                tx, delivery, result.state, result.retry_count, result.due_ms
            )
            was_pending.append(bool(count))
            if result.was_sent:
                await webhook_attempt_store.insert_attempt(
                    tx, result.attempt(webhook_attempt_store.new_attempt_sid(tx))
                )
            if result.is_done:
                lanes[delivery.account_sid, lane.key] = None
        promoted = {lane for lane in lanes if await queue.promote(tx, *lane)}
        for each in asked:
            await write_pre_action(tx, each)
        return _Recorded(promoted, results, was_pending)

    async def _refill(self, lane: Lane) -> None:
        account_sid = lane.endpoint.key[0]
        found = await self._store.read(
            lambda tx: queue.following(tx, account_sid, lane.key, lane.tail)
        )
        self._lanes.refill(lane, found)

    def metrics(self) -> Iterator[Metric]:
        """The figures for monitoring: none of them says whose they are."""
        yield from self._figures.collect(sum(self._pending.values()))

    # --- Looking on disk for what is due.

    async def _poll_due(self) -> None:
        while not self._is_stopping:
            try:
                await self._check_clock()
                await self._poller.load_due()
                await self._figures.measure(self._store, self._pending)
            except Exception:
                log.exception("webhook_poll_failed")
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)
            await self._poller.pause()

    async def _check_clock(self) -> None:
        """After the clock was set back, and at the start, let nothing wait for the time before."""
        now_ms = self._clock.now_ms()
        if now_ms < self._latest_ms - limits.CLOCK_SET_BACK_MS_MIN:
            for account_sid in list(self._pending):
                await self._lease_term.store.write(partial(_cap_due, account_sid))
            self._lanes.poll_all()
            self._start(self._poller.find_endpoints(list(self._pending)))
        self._latest_ms = now_ms


async def _cap_due(account_sid: str, tx: Transaction) -> int:
    return await queue.cap_due(tx, account_sid)
