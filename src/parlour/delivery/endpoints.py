"""Endpoints, and their shares of the slots that all deliveries share.

An endpoint is one URL of one account. Two kinds of slots are shared, both max-min fair
(``operations/fair_shares.py``): requests in flight, and lanes in memory.

```text
requests in flight:  all ─► account ─┬─► answering ─► host ─► URL
                                     └─► hanging ───► host ─► URL
lanes in memory:     all ─► account ─┬─► answering ─────────► URL
                                     └─► hanging ───────────► URL
```

An endpoint is *hanging* from a request that timed out until one that ends its delivery in time.
Hanging endpoints are probed: one request at a time each, few for one host, and few for one account.
So they cannot take the slots of the account's other endpoints. A host is a scheme, host name and
port. New endpoints count as answering, so at most 16 requests detect that a host hangs; then it is
probed with a few, however many URLs it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.delivery.states import EndpointState
from parlour.operations.fair_shares import FairShares
from parlour.protocol.egress_policy import EgressRefused
from parlour.protocol.signatures import prepare_url
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.delivery.lanes import Lane
    from parlour.operations.fair_shares import Share

EndpointKey = tuple[str, str]
"""The account and the URL."""
# Shared by all endpoints that are not being loaded, to save memory; never modified.
_NO_LANES: Final[set[int]] = set()


def _host_of(url: str) -> str:
    """Return the scheme, host and port of a URL, or the URL itself if it cannot be requested."""
    try:
        prepared = prepare_url(url)
    except EgressRefused:
        return url
    return f"{prepared.scheme}://{prepared.host.name}:{prepared.port}"


class EndpointShares:
    """The two trees of shares, and the leaves of an endpoint in them."""

    # A leaf depends on the state of its endpoint: after a transition the endpoint has other leaves
    # (``Endpoint._move_to``). A slot is released at the leaf where it was occupied.

    def __init__(self) -> None:
        self.requests = FairShares(limits.WEBHOOKS_AT_ONCE_MAX)
        self.lanes = FairShares(limits.LANES_MAX)
        # A single account can occupy half of the slots, since the root leaves as many free as one
        # child has.
        self._requests_each = max(1, limits.WEBHOOKS_AT_ONCE_MAX // 2)
        self._lanes_each = max(1, limits.LANES_MAX // 2)

    def of_requests(self, key: EndpointKey, host: str, *, is_hanging: bool) -> Share:
        """Return the leaf for the requests of an endpoint."""
        account = self.requests.child(key[0], self._requests_each)
        if is_hanging:
            kind = account.child("hanging", limits.PROBES_PER_ACCOUNT_MAX)
            return kind.child(host, limits.PROBES_PER_HOST_MAX).child(key)
        kind = account.child("answering", self._requests_each, greed=1)
        # One URL gets three quarters of what its host may have.
        return kind.child(host, limits.WEBHOOKS_AT_ONCE_PER_HOST_MAX, greed=3).child(key)

    def of_lanes(self, key: EndpointKey, *, is_hanging: bool) -> Share:
        """Return the leaf for the lanes in memory of an endpoint."""
        account = self.lanes.child(key[0], self._lanes_each)
        if is_hanging:
            return account.child("hanging", limits.LANES_HANGING_PER_ACCOUNT_MAX).child(key)
        return account.child("answering", self._lanes_each, greed=1).child(key)


class Endpoint:
    """One URL of one account: its state, its lanes in memory and its shares."""

    # The legal transitions are in ``states.py``. The concurrency (``allowed``) follows from them,
    # additive increase and a drop to one:
    #
    #   state      cause                          becomes    requests in flight, at most
    #   answering  delivery ended, not timed out  answering  one more, up to 12; the host one
    #                                                        more, up to 16
    #   answering  timed out                      hanging    1; the host half as many, at least 2
    #   hanging    delivery ended, not timed out  answering  one more; the host one more
    #   hanging    timed out                      hanging    1
    #   any        failed in time, retry follows  the same   unchanged
    #   any        no deliveries                  absent     4 when it is created again
    #   any        evicted                        absent     4 when it is created again
    #                                                        (``endpoint_cache.py``)
    #
    # A delivery ends with a 2xx, a 410, or a failure without a further retry. Unless it timed out,
    # the endpoint counts as answering, also where no request was made, as for an invalid URL.

    __slots__ = (
        "_host",
        "_shares",
        "allowed",
        "is_due",
        "is_loading",
        "key",
        "lanes",
        "lanes_share",
        "left",
        "missed",
        "poll_ms",
        "ready",
        "requests_share",
        "sending",
        "state",
    )

    def __init__(self, key: EndpointKey, shares: EndpointShares) -> None:
        self.key = key
        self.state = EndpointState.ABSENT
        self.lanes: dict[int, Lane] = {}
        self.ready: dict[int, Lane] = {}
        # Requests in flight, and their maximum.
        self.sending = 0
        self.allowed = limits.WEBHOOKS_AT_ONCE_FIRST
        # When to poll the disk for it, None if not scheduled; ``is_due``: that time has come, and
        # it waits for the slot of a lane.
        self.poll_ms: int | None = None
        self.is_due = False
        self.is_loading = False
        # While it is loading: lanes with a new delivery that the read may lack (``missed``), and
        # lanes that were removed, whose rows in the read may be stale (``left``).
        self.missed: set[int] = _NO_LANES
        self.left: set[int] = _NO_LANES
        self._shares = shares
        self._host = _host_of(key[1])
        self.requests_share = shares.of_requests(key, self._host, is_hanging=False)
        self.lanes_share = shares.of_lanes(key, is_hanging=False)

    def enter(self, state: EndpointState) -> None:
        """Change the state."""
        self.state = state

    @property
    def room(self) -> int:
        """The number of further lanes that it may have in memory."""
        own = self.allowed * limits.LANES_PER_REQUEST_MAX - len(self.lanes)
        return min(own, self.lanes_share.room)

    def start_loading(self) -> None:
        """Record from now on which lanes get deliveries or are removed during the read."""
        self.is_loading = True
        self.missed, self.left = set(), set()

    def end_loading(self) -> None:
        """End the read."""
        self.is_loading = False
        self.missed = self.left = _NO_LANES

    def update_wants(self) -> None:
        """Update the demand at its shares. Call it after each change of its lanes or polls."""
        self.requests_share.want(bool(self.ready) and self.sending < self.allowed)
        own_room = self.allowed * limits.LANES_PER_REQUEST_MAX - len(self.lanes)
        self.lanes_share.want(self.is_due and own_room > 0)

    def finish_request(self, share: Share, *, is_done: bool, timed_out: bool) -> None:
        """Release the share of one request, and adjust state and concurrency to its outcome."""
        share.release()
        self.sending -= 1
        if timed_out:
            if self.state is EndpointState.ANSWERING:
                # The parent is the host: its other URLs probably hang as well.
                assert share.parent is not None
                least = limits.WEBHOOKS_AT_ONCE_PER_HOST_MIN
                share.parent.set_limit(max(least, share.parent.limit // 2))
            self.allowed = 1
            self._move_to(EndpointState.HANGING)
        elif is_done:
            most = limits.WEBHOOKS_AT_ONCE_PER_ENDPOINT_MAX
            self.allowed = min(most, self.allowed + 1)
            self._move_to(EndpointState.ANSWERING)
            host = self.requests_share.parent
            assert host is not None
            host.set_limit(min(limits.WEBHOOKS_AT_ONCE_PER_HOST_MAX, host.limit + 1))
        if share is not self.requests_share:
            # Occupied before a transition: the old leaf is discarded with its last slot.
            share.discard()
        self.update_wants()

    def drop_request(self, share: Share) -> None:
        """Release the share of a request that was cancelled."""
        share.release()
        self.sending -= 1
        if share is not self.requests_share:
            share.discard()
        self.update_wants()

    def release_lane(self, share: Share) -> None:
        """Release the slot in memory of one lane."""
        share.release()
        if share is not self.lanes_share:
            share.discard()
        self.update_wants()

    def _move_to(self, state: EndpointState) -> None:
        """Move to the leaves of another state. Occupied slots stay at the old leaves."""
        if self.state is state:
            return
        self.enter(state)
        is_hanging = state is EndpointState.HANGING
        old = self.requests_share, self.lanes_share
        self.requests_share = self._shares.of_requests(self.key, self._host, is_hanging=is_hanging)
        self.lanes_share = self._shares.of_lanes(self.key, is_hanging=is_hanging)
        for share in old:
            share.want(False)
            share.discard()

    def leave(self) -> None:
        """Leave both trees, when it has no more deliveries or is evicted."""
        self.enter(EndpointState.ABSENT)
        for share in (self.requests_share, self.lanes_share):
            share.want(False)
            share.discard()
