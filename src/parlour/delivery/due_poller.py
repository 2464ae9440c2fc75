"""The due poller: reads from disk the deliveries that are due and not in memory.

Those are retries, deliveries that did not fit in memory, and at the start of a term all pending
ones. Endpoints are polled one at a time, next an endpoint of the account with the fewest lanes in
memory; an account that has used up its share of the CPU delays no other (``cpu_throttle.py``).
*Searches* find the endpoints to poll: of all accounts at the start of a term and after a resync or
a clock step back, of one account after a replay, and of accounts whose endpoints were evicted from
memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from parlour.delivery.term import Tasks, wait_for
from parlour.store import webhook_queue
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable, Iterable

    from parlour.delivery.cpu_throttle import CpuThrottle
    from parlour.delivery.endpoints import Endpoint
    from parlour.delivery.term import DeliveryTerm
    from parlour.delivery.webhook_metrics import WebhookMetrics
    from parlour.store.transaction import Transaction, Work
    from parlour.store.webhook_queue import WebhookDelivery
    from parlour.vocabulary.clock import Clock

T = TypeVar("T")

log = structlog.get_logger()

_NEVER_MS: Final = limits.INTEGER_MAX


class DuePoller:
    """Loads the lanes of one term from disk."""

    # Two levels:
    #   search  accounts -> their endpoints on disk -> schedule_found: when to poll each
    #   poll    a due endpoint -> its due heads -> the lanes that fit in memory
    # Polls run in one task, so no endpoint is loaded twice at a time. Searches run concurrently,
    # except searches for evicted endpoints; they only schedule polls.

    def __init__(
        self, term: DeliveryTerm, throttle: CpuThrottle, clock: Clock, metrics: WebhookMetrics
    ) -> None:
        self._term = term
        self._throttle = throttle
        self._clock = clock
        self._metrics = metrics
        # The time of the previous check. If it is later than now, the clock was set back.
        self._latest_ms = _NEVER_MS
        self.searches = Tasks()

    async def run(self) -> None:
        """Poll whenever an endpoint is due until the term stops."""
        while not self._term.is_stopping:
            try:
                await self._check_clock()
                await self.load_due()
                await self._metrics.measure(self._term.reads, self._term.pending)
            except Exception:
                log.exception("webhook_poll_failed")
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)
            await self._pause()

    # --- Searches: which endpoints there are --------------------------------------------------

    def search(self, account_sids: Iterable[str]) -> None:
        """Find the endpoints of some accounts in the background."""
        self.searches.start(self._search_until_done(list(account_sids)))

    async def _search_until_done(self, account_sids: list[str]) -> None:
        """Search; start again after an unexpected error, as nothing else would find these."""
        while not self._term.is_stopping:
            with failures_logged("webhook_search_failed"):
                await self._search(account_sids)
                return
            await asyncio.sleep(limits.SINK_RETRY_MS / 1000)

    async def _search(self, account_sids: list[str], pause_ms: int = 0) -> None:
        """Schedule a poll of every URL with pending deliveries, some of each account in turn.

        URLs for which there is no room are found again later.
        """
        last = deque((each, "") for each in account_sids)  # tidy: bounded - by the accounts
        while last and not self._term.is_stopping:
            try:
                found = await self._term.reads.read(partial(_endpoints_after, last[0]))
            except (Busy, Unavailable):
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)
                continue
            now_ms = self._clock.now_ms()
            for account_sid, url, due_ms in found:
                self._term.lanes.schedule_found((account_sid, url), due_ms, now_ms)
            self._term.poll_wanted.set()
            # Round robin over the accounts: a full step re-queues the account at the end.
            last.popleft()
            if len(found) >= limits.ENDPOINTS_PER_STEP_MAX:
                last.append(found[-1][:2])
            await asyncio.sleep(pause_ms / 1000)
            if pause_ms:
                # A search of evicted endpoints runs in the polling task: poll in between.
                await self._load_known()

    async def _search_evicted(self, account_sids: list[str]) -> None:
        """Find evicted endpoints slowly, and poll cached ones in between."""
        try:
            await self._search(account_sids, limits.ENDPOINTS_STEP_PAUSE_MS)
        except BaseException:
            for account_sid in account_sids:
                self._term.lanes.endpoints.schedule_search(account_sid, 0)
            raise

    # --- Polls: the lanes of an endpoint ------------------------------------------------------

    async def load_due(self) -> None:
        """Load the lanes that are due, as far as they fit in memory."""
        self._term.poll_wanted.clear()
        await self._load_known()
        evicted = self._term.lanes.endpoints.take_due_searches(self._clock.now_ms())
        if evicted:
            await self._search_evicted(evicted)

    async def _load_known(self) -> None:
        while (endpoint := self._next_endpoint()) is not None:
            await self._load(endpoint)
            self._term.send_wanted.set()

    def _next_endpoint(self) -> Endpoint | None:
        may = self._may_poll(self._throttle.wait_ms())
        return self._term.lanes.due_poll(self._clock.now_ms(), may)

    def _may_poll(self, wait_ms: float) -> Callable[[Hashable], bool] | None:
        """Return for which accounts the disk may be read now; None for all."""
        return None if wait_ms <= 0 else lambda account: self._throttle.has_credit(str(account))

    async def _load(self, endpoint: Endpoint) -> None:
        """Load the due lanes of one endpoint, as many as fit in memory."""
        lanes, reads = self._term.lanes, self._term.reads
        account_sid, url = endpoint.key
        with lanes.loading(endpoint):
            # Lanes in memory may be among the heads; the extra one shows whether there are more.
            count = len(endpoint.lanes) + max(endpoint.room, 0) + 1
            heads = partial(_heads_of, account_sid, url, count)
            found = await reads.read(self._metered(account_sid, heads))
            for key in lanes.lanes_to_load(endpoint, found, self._clock.now_ms()):
                lane = partial(_lane_from_start, account_sid, key)
                head = await reads.read(self._metered(account_sid, lane))
                is_whole = len(head) < limits.LANE_DELIVERIES_MAX
                lanes.load(endpoint, key, head, is_whole=is_whole)

    def _metered(
        self, account_sid: str, work: Callable[[Transaction], Coroutine[Any, Any, T]]
    ) -> Work[T]:
        return lambda tx: self._throttle.metered(work(tx), account_sid)

    # --- When -----------------------------------------------------------------------------------

    async def _pause(self) -> None:
        """Wait until an endpoint may be due, at most for the fallback interval."""
        wait_ms = self._throttle.wait_ms()
        next_ms = self._term.lanes.next_poll_ms(self._may_poll(wait_ms))
        pause_ms: float = limits.WEBHOOK_POLL_MS_MAX
        if next_ms is not None:
            pause_ms = min(pause_ms, max(0, next_ms - self._clock.now_ms()))
        if wait_ms > 0:
            # A due endpoint of an account that the throttle delays is not in ``next_ms``.
            pause_ms = min(pause_ms, wait_ms)
        await wait_for(self._term.poll_wanted, pause_ms)

    async def _check_clock(self) -> None:
        """Cap due times that are too late, at the start of a term and after a clock step back."""
        term, now_ms = self._term, self._clock.now_ms()
        if now_ms < self._latest_ms - limits.CLOCK_SET_BACK_MS_MIN:
            for account_sid in list(term.pending):
                await term.lease_term.store.write(partial(_cap_due, account_sid))
            term.lanes.poll_all()
            self.search(term.pending)
        self._latest_ms = now_ms


async def _endpoints_after(after: tuple[str, str], tx: Transaction) -> list[tuple[str, str, int]]:
    return await webhook_queue.endpoints(tx, after)


async def _heads_of(
    account_sid: str, url: str, count: int, tx: Transaction
) -> list[tuple[int, int, int]]:
    return await webhook_queue.heads(tx, account_sid, url, count)


async def _lane_from_start(account_sid: str, key: int, tx: Transaction) -> list[WebhookDelivery]:
    return await webhook_queue.following(tx, account_sid, key, -1)


async def _cap_due(account_sid: str, tx: Transaction) -> int:
    return await webhook_queue.cap_due(tx, account_sid)
