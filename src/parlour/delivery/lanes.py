"""Which delivery goes next: lanes in memory, in turn, so that a slow one delays itself alone.

A lane is one URL and one conversation, and has one delivery on its way at a time. An endpoint is
one URL of one account; it has a bounded number of requests on their way, and one only as long as
it lets requests time out. Accounts share the requests and the memory fairly, then the hosts and
the URLs of each (`delivery/endpoints.py`). What does not fit here waits on disk, where it was
written first: nothing in memory is the only copy of anything.

A lane goes on to its next delivery as soon as one is taken by the receiver; that it was taken is
written meanwhile. It stays here until that is on disk, so that nothing is read from there twice.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from parlour.delivery.endpoint_cache import EndpointCache
from parlour.delivery.endpoints import Endpoint, EndpointShares
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from parlour.delivery.endpoints import EndpointKey
    from parlour.operations.fair_shares import Share
    from parlour.resources.webhook_attempts.store import WebhookDelivery

__all__ = ["Endpoint", "Lane", "Lanes"]


class Lane:
    """One lane: its next deliveries, the first of which may be on its way."""

    __slots__ = (
        "done",
        "endpoint",
        "has_more",
        "holds",
        "is_sending",
        "key",
        "memory_share",
        "missed",
        "request_share",
        "tail",
        "unrecorded",
        "waiting",
    )

    def __init__(self, endpoint: Endpoint, key: int) -> None:
        self.endpoint = endpoint
        self.key = key
        # Where its place in memory counts, and its request while it has one.
        self.memory_share = endpoint.lanes_share
        self.request_share: Share | None = None
        self.waiting: deque[WebhookDelivery] = deque(maxlen=limits.LANE_DELIVERIES_MAX)
        self.tail = self.done = -1
        self.has_more = False
        self.missed = False
        self.is_sending = False
        self.holds = False
        self.unrecorded = 0

    def append(self, delivery: WebhookDelivery) -> None:
        """Take one more, unless it is known or there is no room: then it is read from disk."""
        if delivery.lane_order <= self.tail:
            return
        if self.has_more:
            self.missed = True
            return
        if len(self.waiting) == limits.LANE_DELIVERIES_MAX:
            self.has_more = True
            return
        self.waiting.append(delivery)
        self.tail = delivery.lane_order

    def refill_started(self) -> None:
        """What is on disk is read from now on; what comes meanwhile may not be among it."""
        self.has_more = True
        self.missed = False

    def refill(self, deliveries: list[WebhookDelivery]) -> None:
        """Take what was read from disk behind the tail."""
        self.has_more = False
        for delivery in deliveries:
            self.append(delivery)
        self.has_more = self.missed or len(deliveries) >= limits.LANE_DELIVERIES_MAX

    def compare(self, order: int) -> None:
        """See whether the head on disk is the one that is known; otherwise there is more there."""
        if not self.waiting or self.waiting[0].lane_order != order:
            self.has_more = True

    def forget(self) -> None:
        """Forget what is not on its way: it has changed on disk."""
        kept = self.waiting[0] if self.is_sending else None
        self.waiting.clear()
        self.has_more = True
        self.tail = self.done
        if kept is not None:
            self.waiting.append(kept)
            self.tail = kept.lane_order


class Lanes:
    """Every lane in memory, and which endpoint is to be looked up on disk, and when."""

    def __init__(self) -> None:
        self._shares = EndpointShares()
        self.endpoints = EndpointCache(self._shares)
        self._polls: list[tuple[int, EndpointKey]] = []

    # --- What comes.

    def offer(self, delivery: WebhookDelivery) -> None:
        """Take a delivery that was just queued, if there is room for it in memory."""
        endpoint = self.endpoints.get_or_create((delivery.account_sid, delivery.url))
        lane = endpoint.lanes.get(delivery.lane)
        if lane is not None:
            lane.append(delivery)
            self._mark_ready(lane)
        elif delivery.due_ms is None:
            # Its lane's head is on disk, and so is it.
            if endpoint.is_loading:
                endpoint.missed.add(delivery.lane)
            self._forget_idle(endpoint)
        elif endpoint.room <= 0 or endpoint.poll_ms == 0:
            self.schedule_poll(endpoint.key, 0)
        else:
            self._take(endpoint, delivery.lane, [delivery], is_whole=True)

    def load(
        self, endpoint: Endpoint, key: int, found: list[WebhookDelivery], *, is_whole: bool
    ) -> None:
        """Make a lane of what was read from disk; ``is_whole``: nothing is behind it there."""
        if key in endpoint.left:
            self.schedule_poll(
                endpoint.key, 0
            )  # What was read is older than what was sent meanwhile.
            return
        self._take(endpoint, key, found, is_whole=is_whole and key not in endpoint.missed)

    def _take(
        self, endpoint: Endpoint, key: int, found: list[WebhookDelivery], *, is_whole: bool
    ) -> None:
        lane = endpoint.lanes.get(key)
        if lane is None:
            lane = endpoint.lanes[key] = Lane(endpoint, key)
            lane.memory_share.occupy()
            endpoint.update_wants()
        lane.refill(found)
        lane.has_more = lane.has_more or not is_whole
        if lane.waiting or lane.unrecorded:
            self._mark_ready(lane)
            return
        # All that was read is done by now.
        if lane.has_more:
            self.schedule_poll(endpoint.key, 0)
        self._leave(lane)

    def _mark_ready(self, lane: Lane) -> None:
        endpoint = lane.endpoint
        if lane.waiting and not lane.is_sending and not lane.holds:
            endpoint.ready[lane.key] = lane
        endpoint.update_wants()

    def _mark_not_ready(self, lane: Lane) -> None:
        lane.endpoint.ready.pop(lane.key, None)
        lane.endpoint.update_wants()

    # --- What goes.

    @property
    def sending(self) -> int:
        """How many requests are on their way."""
        return self._shares.requests.in_use

    @property
    def has_ready_lane(self) -> bool:
        """Whether something can be sent now."""
        return self._shares.requests.next() is not None

    def next_lane(self, may: Callable[[Hashable], bool] | None = None) -> Lane | None:
        """The lane whose first delivery is to be sent now, if there is one.

        ``may``: which accounts may send now.
        """
        share = self._shares.requests.take(may)
        if share is None:
            return None
        endpoint = self.endpoints.of(share)
        lane = endpoint.ready.pop(next(iter(endpoint.ready)))
        lane.is_sending = True
        lane.request_share = share
        endpoint.sending += 1
        endpoint.update_wants()
        return lane

    def ended(self, lane: Lane, *, is_done: bool, timed_out: bool) -> None:
        """One attempt is over. What is not done holds its lane until it is due again."""
        endpoint = lane.endpoint
        lane.is_sending = False
        lane.unrecorded += 1
        share, lane.request_share = lane.request_share, None
        assert share is not None
        endpoint.ended(share, is_done=is_done, timed_out=timed_out)
        if is_done:
            lane.done = lane.waiting.popleft().lane_order
        else:
            lane.holds = True
        self._mark_ready(lane)

    def recorded(self, lane: Lane, due_ms: int | None, *, is_promoted: bool) -> bool:
        """An attempt's result is on disk. Whether more of the lane is to be read from there."""
        lane.unrecorded -= 1
        if lane.holds and not lane.unrecorded:
            # Without a date it is pending no more, and others may be. The look comes first: with
            # its last lane an endpoint would be forgotten, and so that it hangs.
            self.schedule_poll(lane.endpoint.key, due_ms or 0)
            self._leave(lane)
            return False
        if lane.waiting or lane.is_sending:
            return False
        if lane.has_more or is_promoted:
            lane.refill_started()
            return True
        if not lane.unrecorded:
            self._leave(lane)
        return False

    def refill(self, lane: Lane, found: list[WebhookDelivery]) -> None:
        """Give a lane what was read from disk behind its tail; without anything it leaves."""
        lane.refill(found)
        if lane.waiting:
            self._mark_ready(lane)
        elif not lane.unrecorded:
            # There was something: it came back to a place before what is done.
            self.schedule_poll(lane.endpoint.key, 0)
            self._leave(lane)

    def _leave(self, lane: Lane) -> None:
        endpoint = lane.endpoint
        if endpoint.lanes.get(lane.key) is lane:
            del endpoint.lanes[lane.key]
            endpoint.lane_left(lane.memory_share)
            if endpoint.is_loading:
                endpoint.left.add(lane.key)
        self._mark_not_ready(lane)
        self._forget_idle(endpoint)

    def _forget_idle(self, endpoint: Endpoint) -> None:
        """Forget an endpoint that nothing is known of, and that nobody is about to load.

        Otherwise there would be two of one key. They would take turns from each other, and a
        lane of the loser would wait for ever.
        """
        is_known = endpoint.lanes or endpoint.sending or endpoint.poll_ms is not None
        if not is_known and not endpoint.is_loading:
            self.endpoints.forget(endpoint)

    def invalidate(self, account_sid: str, url: str, lane_key: int) -> None:
        """A lane has changed on disk."""
        endpoint = self.endpoints.get((account_sid, url))
        lane = endpoint.lanes.get(lane_key) if endpoint is not None else None
        if lane is None:
            return
        lane.forget()
        if not lane.is_sending:
            self._mark_not_ready(lane)
            if not lane.unrecorded:
                self.schedule_poll((account_sid, url), 0)
                self._leave(lane)

    def invalidate_all(self) -> None:
        """Any lane may have changed on disk."""
        for endpoint in self.endpoints:
            for lane_key in tuple(endpoint.lanes):
                self.invalidate(*endpoint.key, lane_key)

    # --- When to look on disk.

    def schedule_poll(self, key: EndpointKey, at_ms: int) -> None:
        """Look for what an endpoint has due, at this time or before."""
        endpoint = self.endpoints.get_or_create(key)
        if endpoint.poll_ms is None or at_ms < endpoint.poll_ms:
            endpoint.poll_ms = at_ms
            heappush(self._polls, (at_ms, key))
            if len(self._polls) > 2 * len(self.endpoints) + limits.POLLS_OUTDATED_MAX:
                self._drop_outdated_polls()

    def _drop_outdated_polls(self) -> None:
        """Keep the looks that are still to be made: one of each endpoint, unless it is due."""
        self._polls = [
            (endpoint.poll_ms, endpoint.key)
            for endpoint in self.endpoints
            if endpoint.poll_ms is not None and not endpoint.is_due
        ]
        heapify(self._polls)

    def schedule_found(self, key: EndpointKey, due_ms: int, now_ms: int) -> None:
        """Look at an endpoint that was found on disk when it is due, or have it found again."""
        endpoints = self.endpoints
        is_known = endpoints.get(key) is not None or len(endpoints) < limits.ENDPOINTS_KNOWN_MAX
        if is_known or (due_ms <= now_ms and endpoints.has_room(now_ms)):
            self.schedule_poll(key, due_ms)
        else:
            endpoints.schedule_search(key[0], due_ms)

    def poll_all(self) -> None:
        """Look at every endpoint now: the times that are known are of a clock that was set back."""
        for endpoint in self.endpoints:
            self.schedule_poll(endpoint.key, 0)
        self.endpoints.search_all()

    def next_poll_ms(self, may: Callable[[Hashable], bool] | None = None) -> int | None:
        """When an endpoint is to be looked at: 0 if one is due, and there is room for it.

        ``may``: which accounts count.
        """
        if self._shares.lanes.next(may) is not None:
            return 0
        poll_ms = self._polls[0][0] if self._polls else None
        unlisted_ms = self.endpoints.next_search_ms()
        return min((each for each in (poll_ms, unlisted_ms) if each is not None), default=None)

    def due_poll(
        self, now_ms: int, may: Callable[[Hashable], bool] | None = None
    ) -> Endpoint | None:
        """An endpoint to look at now: ``lanes_to_load`` says what to load, while it is ``loading``.

        Of all that are due it is one of the account that has the least in memory. One for which
        there is no room is not looked at. ``may``: which accounts count.
        """
        while self._polls and self._polls[0][0] <= now_ms:
            at_ms, key = heappop(self._polls)
            endpoint = self.endpoints.get(key)
            if endpoint is not None and endpoint.poll_ms == at_ms:
                endpoint.is_due = True
                endpoint.update_wants()
        share = self._shares.lanes.next(may)
        if share is None:
            return None
        share.pass_turn()
        endpoint = self.endpoints.of(share)
        endpoint.poll_ms = None
        endpoint.is_due = False
        endpoint.update_wants()
        return endpoint

    def lanes_to_load(
        self, endpoint: Endpoint, found: Iterable[tuple[int, int, int]], now_ms: int
    ) -> list[int]:
        """Of the heads found on disk, the lanes to load now. Says when to look again."""
        assert endpoint.is_loading
        chosen: list[int] = []
        room = endpoint.room
        for lane, due_ms, order in found:
            if due_ms > now_ms:
                self.schedule_poll(endpoint.key, due_ms)
                break
            if lane in endpoint.lanes:
                endpoint.lanes[lane].compare(order)
                continue
            if lane in chosen:
                continue
            if len(chosen) >= room:
                endpoint.poll_ms = 0  # Again when there is room.
                endpoint.is_due = True
                endpoint.update_wants()
                break
            chosen.append(lane)
        return chosen

    @contextmanager
    def loading(self, endpoint: Endpoint) -> Iterator[None]:
        """Keep an endpoint until what is wanted of it is loaded. What fails is looked at again."""
        endpoint.begin_load()
        try:
            yield
        except BaseException:
            self.schedule_poll(endpoint.key, 0)
            raise
        finally:
            endpoint.end_load()
            self._forget_idle(endpoint)
