"""Reads from disk which deliveries are due and not in memory.

That is retries, what had no room in memory, and at the start everything that was left. Endpoints
are read one after the other, each time one of the account that has the least in memory; an account
that used up its part of the processor waits, and no other (`delivery/cpu_throttle.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from parlour.delivery import webhook_queue as queue
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

    from parlour.delivery.cpu_throttle import CpuThrottle
    from parlour.delivery.endpoints import Endpoint
    from parlour.delivery.lanes import Lanes
    from parlour.resources.webhook_attempts.store import WebhookDelivery
    from parlour.store.transaction import Store, Transaction, Work
    from parlour.vocabulary.clock import Clock

T = TypeVar("T")


class DuePoller:
    """Fills the lanes from disk."""

    def __init__(
        self,
        store: Store,
        throttle: CpuThrottle,
        clock: Clock,
        lanes: Lanes,
        on_loaded: Callable[[], None],
    ) -> None:
        """``on_loaded`` is called when lanes have something to send."""
        self.lanes = lanes
        self._store = store
        self._throttle = throttle
        self._clock = clock
        self._on_loaded = on_loaded
        self._poll_wanted = asyncio.Event()
        self._is_stopping = False

    def wake(self) -> None:
        """Something may be due, or have room, that was not before."""
        self._poll_wanted.set()

    def stop(self) -> None:
        """Find no more endpoints."""
        self._is_stopping = True
        self.wake()

    async def find_endpoints(self, account_sids: list[str], pause_ms: int = 0) -> None:
        """Schedule a look at every URL with deliveries that wait, some of each account in turn.

        Their lanes are loaded in the order in which the poller gets to them. URLs for which there
        is no room are found again later.
        """
        last = deque((each, "") for each in account_sids)  # tidy: bounded - by the accounts
        while last and not self._is_stopping:
            try:
                found = await self._store.read(partial(_endpoints_after, last[0]))
            except (Busy, Unavailable):
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)
                continue
            now_ms = self._clock.now_ms()
            for account_sid, url, due_ms in found:
                self.lanes.schedule_found((account_sid, url), due_ms, now_ms)
            self.wake()
            last.popleft()
            if len(found) >= limits.ENDPOINTS_PER_STEP_MAX:
                last.append(found[-1][:2])
            await asyncio.sleep(pause_ms / 1000)
            if pause_ms:
                await self._load_known()

    async def load_due(self) -> None:
        """Read the lanes that are due, as far as there is room for them."""
        self._poll_wanted.clear()
        await self._load_known()
        unlisted = self.lanes.endpoints.take_due_searches(self._clock.now_ms())
        if unlisted:
            await self._find_again(unlisted)

    async def _find_again(self, account_sids: list[str]) -> None:
        """Find endpoints that were dropped from memory, slowly, beside those that are known."""
        try:
            await self.find_endpoints(account_sids, limits.ENDPOINTS_STEP_PAUSE_MS)
        except BaseException:
            for account_sid in account_sids:
                self.lanes.endpoints.schedule_search(account_sid, 0)
            raise

    async def _load_known(self) -> None:
        while (endpoint := self._next_endpoint()) is not None:
            await self._load(endpoint)
            self._on_loaded()

    def _next_endpoint(self) -> Endpoint | None:
        may = self._may_poll(self._throttle.wait_ms())
        return self.lanes.due_poll(self._clock.now_ms(), may)

    def _may_poll(self, wait_ms: float) -> Callable[[Hashable], bool] | None:
        """For which accounts the disk may be read now; None for all of them."""
        return None if wait_ms <= 0 else lambda account: self._throttle.has_credit(str(account))

    async def _load(self, endpoint: Endpoint) -> None:
        """Read the lanes of one endpoint, as many as there is room for."""
        account_sid, url = endpoint.key
        with self.lanes.loading(endpoint):
            count = len(endpoint.lanes) + max(endpoint.room, 0) + 1
            heads = partial(_heads_of, account_sid, url, count)
            found = await self._store.read(self._measured(account_sid, heads))
            for key in self.lanes.lanes_to_load(endpoint, found, self._clock.now_ms()):
                lane = partial(_lane_from_start, account_sid, key)
                head = await self._store.read(self._measured(account_sid, lane))
                is_whole = len(head) < limits.LANE_DELIVERIES_MAX
                self.lanes.load(endpoint, key, head, is_whole=is_whole)

    def _measured(
        self, account_sid: str, work: Callable[[Transaction], Coroutine[Any, Any, T]]
    ) -> Work[T]:
        return lambda tx: self._throttle.metered(work(tx), account_sid)

    async def pause(self) -> None:
        """Wait until something may be due, or for the longest time."""
        wait_ms = self._throttle.wait_ms()
        next_ms = self.lanes.next_poll_ms(self._may_poll(wait_ms))
        pause_ms: float = limits.WEBHOOK_POLL_MS_MAX
        if next_ms is not None:
            pause_ms = min(pause_ms, max(0, next_ms - self._clock.now_ms()))
        if wait_ms > 0:
            # Something may be due of an account that has to wait for the governor.
            pause_ms = min(pause_ms, wait_ms)
        await wait_for(self._poll_wanted, pause_ms)


async def wait_for(event: asyncio.Event, timeout_ms: float | None) -> None:
    """Wait for an event, or as long as this."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
            await event.wait()


async def _endpoints_after(after: tuple[str, str], tx: Transaction) -> list[tuple[str, str, int]]:
    return await queue.endpoints(tx, after)


async def _heads_of(
    account_sid: str, url: str, count: int, tx: Transaction
) -> list[tuple[int, int, int]]:
    return await queue.heads(tx, account_sid, url, count)


async def _lane_from_start(account_sid: str, key: int, tx: Transaction) -> list[WebhookDelivery]:
    return await queue.following(tx, account_sid, key, -1)
