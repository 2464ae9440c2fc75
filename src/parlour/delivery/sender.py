"""The sender: takes ready lanes in turn, makes their requests, and queues the results.

It starts a request whenever a lane is ready, its account may send, and the CPU throttle allows it.
Unrecorded results are limited, since a crash repeats their requests. At the limit only accounts
without unrecorded results send.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.delivery.term import Tasks, wait_for
from parlour.operations.open_work import OpenWork
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from parlour.delivery.attempts import AttemptResult, WebhookClient
    from parlour.delivery.cpu_throttle import CpuThrottle
    from parlour.delivery.lanes import Lane
    from parlour.delivery.term import DeliveryTerm
    from parlour.store.webhook_queue import WebhookDelivery
    from parlour.vocabulary.clock import Clock


class Sender:
    """Sends the deliveries of one term."""

    # One loop starts the requests; each request is a task. In ``_send`` no await separates the
    # queueing of a result from the transition of its lane, so the writer always sees both.

    def __init__(
        self,
        term: DeliveryTerm,
        client: WebhookClient,
        throttle: CpuThrottle,
        on_result: Callable[[], None],
        clock: Clock,
    ) -> None:
        """``on_result`` is called after each attempt, with its result in ``term.results``."""
        self._term = term
        self._client = client
        self._throttle = throttle
        self._on_result = on_result
        self._clock = clock
        self.requests = Tasks()
        # The deliveries in flight, and when their attempts started on the monotonic clock.
        self._in_flight: dict[Lane, tuple[WebhookDelivery, float]] = {}

    def open_work(self) -> Iterator[OpenWork]:
        """Return the requests in flight."""
        for delivery, since_ms in self._in_flight.values():
            what = f"webhook {delivery.method} {delivery.url}"
            yield OpenWork(what, delivery.account_sid, since_ms)

    async def run(self) -> None:
        """Send the deliveries of ready lanes until the term stops."""
        term, started = self._term, 0
        while not term.is_stopping:
            # Cleared before the check, so that a change during the check wakes the loop again.
            term.send_wanted.clear()
            wait_ms = self._throttle.wait_ms()
            lane = term.lanes.next_lane(self._may_send(wait_ms))
            if lane is None:
                is_delayed = wait_ms > 0 and term.lanes.has_ready_lane
                await wait_for(term.send_wanted, wait_ms if is_delayed else None)
                continue
            account_sid = lane.endpoint.key[0]
            send = self._throttle.metered(self._send(lane), account_sid)
            self.requests.start(send, account_sid)
            # Starting a request awaits nothing: yield periodically, or a burst would block the
            # event loop for all API requests.
            started += 1
            if not started % limits.WEBHOOKS_STARTED_PER_LOOP_TURN:
                await asyncio.sleep(0)

    def _may_send(self, wait_ms: float) -> Callable[[Hashable], bool] | None:
        """Return which accounts may send now; None for all. ``wait_ms``: the throttle's."""
        results = self._term.results
        is_full = len(results) >= limits.ATTEMPTS_UNRECORDED_MAX
        is_held = self._term.is_held
        if not is_full and wait_ms <= 0 and is_held is None:
            return None
        return lambda account: (
            (is_held is None or not is_held(str(account)))
            and (not is_full or not results.count_of(str(account)))
            and (wait_ms <= 0 or self._throttle.has_credit(str(account)))
        )

    async def _send(self, lane: Lane) -> None:
        """Make one attempt. The lane sends its next delivery before the result is recorded."""
        term = self._term
        delivery = lane.waiting[0]
        self._in_flight[lane] = delivery, self._clock.monotonic_ms()
        try:
            result = await self._attempt(delivery)
        finally:
            del self._in_flight[lane]
        term.results.add(lane.endpoint.key[0], (lane, result))
        term.lanes.finish_attempt(lane, is_done=result.is_done, timed_out=result.timed_out)
        self._on_result()
        term.send_wanted.set()

    async def _attempt(self, delivery: WebhookDelivery) -> AttemptResult:
        while True:  # Ends once the store returns the signing settings, or with the term.
            try:
                return await self._client.attempt(delivery, self._term.lease_term.is_current)
            except (Busy, Unavailable):
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)
