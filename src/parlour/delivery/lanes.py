"""Lanes in memory: a fair order in which deliveries are sent, so that a slow lane delays no other.

A lane is one URL and one conversation, and has one request in flight at a time. An endpoint is one
URL of one account, with a bounded number of requests in flight: one while its requests time out.
Accounts share requests and memory fairly, then the hosts and URLs of each (``endpoints.py``).
Deliveries that do not fit in memory wait on disk. All of them were written there first, so the
memory is only a cache.

A lane sends its next delivery as soon as the receiver has accepted one; the result is recorded
concurrently. The lane stays in memory until then, so that no delivery is read from disk twice.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from parlour.delivery.endpoint_cache import EndpointCache
from parlour.delivery.endpoints import Endpoint, EndpointShares
from parlour.delivery.states import LaneState
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from parlour.delivery.endpoints import EndpointKey
    from parlour.operations.fair_shares import Share
    from parlour.store.webhook_queue import WebhookDelivery


class Lane:
    """One lane: its state and its next deliveries, the first of which may be in flight."""

    # The transitions are in ``states.py``. Invariants of each state:
    #
    #   state      deliveries in memory              unrecorded results  on disk, not in memory
    #   ready      one or more                       any                 if ``has_more``
    #   sending    one or more, the first in flight  any                 if ``has_more``
    #   blocked    any                               one or more         any
    #   recording  none                              one or more         if ``has_more``
    #   refilling  none                              any                 being read, ``has_more``
    #   absent     not used: the lane is removed     none                any; a poll is scheduled
    #
    # ``waiting`` is ascending in ``lane_order`` and without gaps: if a delivery is missing in the
    # middle, ``has_more`` is set and later ones are not appended.

    __slots__ = (
        "done_order",
        "endpoint",
        "has_more",
        "key",
        "memory_share",
        "missed",
        "request_share",
        "state",
        "tail_order",
        "unrecorded",
        "waiting",
    )

    def __init__(self, endpoint: Endpoint, key: int) -> None:
        self.endpoint = endpoint
        self.key = key
        self.state = LaneState.ABSENT
        # The shares of its slot in memory, and of its request in flight.
        self.memory_share = endpoint.lanes_share
        self.request_share: Share | None = None
        self.waiting: deque[WebhookDelivery] = deque(maxlen=limits.LANE_DELIVERIES_MAX)
        # The order of the last delivery that was appended, and of the last that is done.
        self.tail_order = self.done_order = -1
        # There may be deliveries on disk behind the tail; ``missed``: one was queued during a read.
        self.has_more = False
        self.missed = False
        # Attempts whose results are not on disk yet.
        self.unrecorded = 0

    def enter(self, state: LaneState) -> None:
        """Change the state."""
        self.state = state

    def append(self, delivery: WebhookDelivery) -> None:
        """Append a delivery unless it is known; without room it will be read from disk."""
        if delivery.lane_order <= self.tail_order:
            return
        if self.has_more:
            self.missed = True
            return
        if len(self.waiting) == limits.LANE_DELIVERIES_MAX:
            self.has_more = True
            return
        self.waiting.append(delivery)
        self.tail_order = delivery.lane_order

    def start_refill(self) -> None:
        """Start a read from disk, which may lack deliveries that are queued from now on."""
        self.has_more = True
        self.missed = False
        self.enter(LaneState.REFILLING)

    def extend(self, deliveries: list[WebhookDelivery]) -> None:
        """Append the deliveries that were read from disk behind the tail."""
        self.has_more = False
        for delivery in deliveries:
            self.append(delivery)
        self.has_more = self.missed or len(deliveries) >= limits.LANE_DELIVERIES_MAX

    def compare_head(self, order: int) -> None:
        """Compare the head on disk with the one in memory; if they differ there is more on disk."""
        if not self.waiting or self.waiting[0].lane_order != order:
            self.has_more = True

    def drop_waiting(self) -> None:
        """Drop the deliveries that are not in flight: their rows have changed."""
        # The tail goes back, so that the remaining rows are read again.
        in_flight = self.waiting[0] if self.state is LaneState.SENDING else None
        self.waiting.clear()
        self.has_more = True
        self.tail_order = self.done_order
        if in_flight is not None:
            self.waiting.append(in_flight)
            self.tail_order = in_flight.lane_order


class Lanes:
    """All lanes in memory, and the schedule of polls: when each endpoint is read from disk."""

    # Invariant: each pending delivery on disk is in the memory of its lane, or its lane has
    # ``has_more``, or its endpoint is being loaded, or a poll of it or a search of its account is
    # scheduled. Every early return below keeps that true; otherwise a delivery would wait until
    # the next term.
    #
    # ``_polls`` is a heap with lazy deletion: an entry is valid only if it equals the ``poll_ms``
    # of its endpoint.

    def __init__(self) -> None:
        self._shares = EndpointShares()
        self.endpoints = EndpointCache(self._shares)
        self._polls: list[tuple[int, EndpointKey]] = []

    # --- From the intake and the due poller ---------------------------------------------------

    def offer(self, delivery: WebhookDelivery) -> None:
        """Add a delivery that was just queued, if it fits in memory."""
        endpoint = self.endpoints.get_or_create((delivery.account_sid, delivery.url))
        lane = endpoint.lanes.get(delivery.lane)
        if lane is not None:
            lane.append(delivery)
            self._mark_ready(lane)
        elif delivery.due_ms is None:
            # The head of its lane is on disk only, so this one must not be sent before it.
            if endpoint.is_loading:
                endpoint.missed.add(delivery.lane)
            self._remove_idle(endpoint)
        elif endpoint.room <= 0 or endpoint.poll_ms == 0:
            self.schedule_poll(endpoint.key, 0)
        else:
            self._add(endpoint, delivery.lane, [delivery], is_whole=True)

    def load(
        self, endpoint: Endpoint, key: int, found: list[WebhookDelivery], *, is_whole: bool
    ) -> None:
        """Add a lane that was read from disk; ``is_whole``: the read contains all of it."""
        if key in endpoint.left:
            self.schedule_poll(endpoint.key, 0)  # It was sent after the read: the rows are stale.
            return
        self._add(endpoint, key, found, is_whole=is_whole and key not in endpoint.missed)

    def _add(
        self, endpoint: Endpoint, key: int, found: list[WebhookDelivery], *, is_whole: bool
    ) -> None:
        lane = endpoint.lanes.get(key)
        if lane is None:
            lane = endpoint.lanes[key] = Lane(endpoint, key)
            lane.memory_share.occupy()
            endpoint.update_wants()
        lane.extend(found)
        lane.has_more = lane.has_more or not is_whole
        if lane.waiting or lane.unrecorded:
            self._mark_ready(lane)
            return
        # All deliveries that were read are done by now.
        if lane.has_more:
            self.schedule_poll(endpoint.key, 0)
        self._remove(lane)

    def _mark_ready(self, lane: Lane) -> None:
        """Make the lane ready, if it has deliveries and is neither sending nor blocked."""
        state = lane.state
        if lane.waiting and state is not LaneState.SENDING and state is not LaneState.BLOCKED:
            if state is not LaneState.READY:
                lane.enter(LaneState.READY)
            lane.endpoint.ready[lane.key] = lane
        lane.endpoint.update_wants()

    # --- From the sender ----------------------------------------------------------------------

    @property
    def sending(self) -> int:
        """The number of requests in flight."""
        return self._shares.requests.in_use

    @property
    def has_ready_lane(self) -> bool:
        """Whether a delivery can be sent now."""
        return self._shares.requests.next() is not None

    def next_lane(self, may: Callable[[Hashable], bool] | None = None) -> Lane | None:
        """Return the lane whose first delivery is to be sent now, in state sending.

        ``may``: which accounts may send now; None for all.
        """
        share = self._shares.requests.take(may)
        if share is None:
            return None
        endpoint = self.endpoints.of(share)
        lane = endpoint.ready.pop(next(iter(endpoint.ready)))
        lane.enter(LaneState.SENDING)
        lane.request_share = share
        endpoint.sending += 1
        endpoint.update_wants()
        return lane

    def finish_attempt(self, lane: Lane, *, is_done: bool, timed_out: bool) -> None:
        """End one attempt. Unless the delivery is done, it blocks its lane until it is due."""
        endpoint = lane.endpoint
        lane.unrecorded += 1
        share, lane.request_share = lane.request_share, None
        assert share is not None
        endpoint.finish_request(share, is_done=is_done, timed_out=timed_out)
        if is_done:
            lane.done_order = lane.waiting.popleft().lane_order
            lane.enter(LaneState.READY if lane.waiting else LaneState.RECORDING)
        else:
            lane.enter(LaneState.BLOCKED)
        self._mark_ready(lane)

    # --- From the result writer ---------------------------------------------------------------

    def recorded(self, lane: Lane, due_ms: int | None, *, is_promoted: bool) -> bool:
        """Record that a result is on disk; return whether to read more of the lane.

        ``due_ms``: when the delivery is due again, if it is still pending. ``is_promoted``: the
        lane got a new head on disk.
        """
        lane.unrecorded -= 1
        if lane.state is LaneState.BLOCKED and not lane.unrecorded:
            # Without a date it is no longer pending, but others may be. The poll is scheduled
            # before the removal: an endpoint without lanes and polls is removed, and the
            # information that it hangs would be lost.
            self.schedule_poll(lane.endpoint.key, due_ms or 0)
            self._remove(lane)
        elif lane.state is LaneState.RECORDING:
            if lane.has_more or is_promoted:
                lane.start_refill()
                return True
            if not lane.unrecorded:
                self._remove(lane)
        return False

    def refill(self, lane: Lane, found: list[WebhookDelivery]) -> None:
        """Append the deliveries read from disk behind the tail; remove the lane without any."""
        if lane.state is not LaneState.REFILLING:
            return  # It was invalidated or loaded during the read: the rows are stale.
        lane.extend(found)
        if lane.waiting:
            self._mark_ready(lane)
        elif lane.unrecorded:
            lane.enter(LaneState.RECORDING)
        else:
            # A new head exists, but not behind the tail: a replay reopened it at an earlier order.
            self.schedule_poll(lane.endpoint.key, 0)
            self._remove(lane)

    def _remove(self, lane: Lane) -> None:
        endpoint = lane.endpoint
        assert endpoint.lanes[lane.key] is lane
        del endpoint.lanes[lane.key]
        endpoint.release_lane(lane.memory_share)
        if endpoint.is_loading:
            endpoint.left.add(lane.key)
        endpoint.ready.pop(lane.key, None)
        endpoint.update_wants()
        if lane.state is not LaneState.ABSENT:
            lane.enter(LaneState.ABSENT)
        self._remove_idle(endpoint)

    def _remove_idle(self, endpoint: Endpoint) -> None:
        """Remove an endpoint without lanes, requests and polls."""
        # Not while it is being loaded: a second one would be created for the same key, both would
        # occupy slots, and a lane of the one that is not cached would never be sent.
        is_known = endpoint.lanes or endpoint.sending or endpoint.poll_ms is not None
        if not is_known and not endpoint.is_loading:
            self.endpoints.remove(endpoint)

    # --- After a change on disk ---------------------------------------------------------------

    def invalidate(self, account_sid: str, url: str, lane_key: int) -> None:
        """Drop the memory of a lane whose rows have changed, except a request in flight."""
        endpoint = self.endpoints.get((account_sid, url))
        lane = endpoint.lanes.get(lane_key) if endpoint is not None else None
        if lane is None:
            return
        lane.drop_waiting()
        if lane.state is not LaneState.READY and lane.state is not LaneState.REFILLING:
            return
        lane.endpoint.ready.pop(lane.key, None)
        lane.endpoint.update_wants()
        if lane.unrecorded:
            lane.enter(LaneState.RECORDING)
        else:
            self.schedule_poll((account_sid, url), 0)
            self._remove(lane)

    def invalidate_all(self) -> None:
        """Drop the memory of all lanes, except requests in flight."""
        for endpoint in self.endpoints:
            for lane_key in tuple(endpoint.lanes):
                self.invalidate(*endpoint.key, lane_key)

    def forget(self, accounts: Callable[[str], bool]) -> None:
        """Drop the memory of some accounts, none of which has a request in flight any more.

        Requests that were cancelled occupy their slots until then. Whether an endpoint hangs is
        discarded as well.
        """
        for endpoint in self.endpoints:
            if not accounts(endpoint.key[0]):
                continue
            endpoint.poll_ms, endpoint.is_due = None, False
            for lane in tuple(endpoint.lanes.values()):
                share, lane.request_share = lane.request_share, None
                if share is not None:
                    endpoint.drop_request(share)
                self._remove(lane)
            self._remove_idle(endpoint)
        self.endpoints.drop_searches(accounts)

    # --- The schedule of polls ----------------------------------------------------------------

    def schedule_poll(self, key: EndpointKey, at_ms: int) -> None:
        """Poll the disk for the due deliveries of an endpoint, at this time or before."""
        endpoint = self.endpoints.get_or_create(key)
        if endpoint.poll_ms is None or at_ms < endpoint.poll_ms:
            endpoint.poll_ms = at_ms
            heappush(self._polls, (at_ms, key))
            if len(self._polls) > 2 * len(self.endpoints) + limits.POLLS_OUTDATED_MAX:
                self._drop_outdated_polls()

    def _drop_outdated_polls(self) -> None:
        """Rebuild the heap with the valid polls: one of each endpoint that is not due."""
        self._polls = [
            (endpoint.poll_ms, endpoint.key)
            for endpoint in self.endpoints
            if endpoint.poll_ms is not None and not endpoint.is_due
        ]
        heapify(self._polls)

    def schedule_found(self, key: EndpointKey, due_ms: int, now_ms: int) -> None:
        """Schedule a poll of an endpoint found on disk, or a search if the cache is full."""
        endpoints = self.endpoints
        is_known = endpoints.get(key) is not None or len(endpoints) < limits.ENDPOINTS_KNOWN_MAX
        if is_known or (due_ms <= now_ms and endpoints.has_room(now_ms)):
            self.schedule_poll(key, due_ms)
        else:
            endpoints.schedule_search(key[0], due_ms)

    def poll_all(self) -> None:
        """Poll all endpoints now: the clock was set back, so the scheduled times are wrong."""
        for endpoint in self.endpoints:
            self.schedule_poll(endpoint.key, 0)
        self.endpoints.search_all()

    def next_poll_ms(self, may: Callable[[Hashable], bool] | None = None) -> int | None:
        """Return when the next endpoint is to be polled: 0 if one is due and has room.

        ``may``: which accounts count; None for all.
        """
        if self._shares.lanes.next(may) is not None:
            return 0
        poll_ms = self._polls[0][0] if self._polls else None
        search_ms = self.endpoints.next_search_ms()
        return min((each for each in (poll_ms, search_ms) if each is not None), default=None)

    def due_poll(
        self, now_ms: int, may: Callable[[Hashable], bool] | None = None
    ) -> Endpoint | None:
        """Return the endpoint to poll now, of the account that has the fewest lanes in memory.

        An endpoint without room is not polled. ``may``: which accounts count; None for all.
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
        """Return the lanes to load now, and schedule the next poll.

        ``found``: heads on disk as lane, due time and lane order; soonest first.
        """
        assert endpoint.is_loading
        chosen: list[int] = []
        room = endpoint.room
        for lane, due_ms, order in found:
            if due_ms > now_ms:
                self.schedule_poll(endpoint.key, due_ms)
                break
            if lane in endpoint.lanes:
                endpoint.lanes[lane].compare_head(order)
                continue
            if lane in chosen:
                continue
            if len(chosen) >= room:
                endpoint.poll_ms = 0  # Again once there is room.
                endpoint.is_due = True
                endpoint.update_wants()
                break
            chosen.append(lane)
        return chosen

    @contextmanager
    def loading(self, endpoint: Endpoint) -> Iterator[None]:
        """Keep an endpoint cached until its lanes are loaded; after an error poll it again."""
        endpoint.start_loading()
        try:
            yield
        except BaseException:
            self.schedule_poll(endpoint.key, 0)
            raise
        finally:
            endpoint.end_loading()
            self._remove_idle(endpoint)
