"""Endpoints, and the shares that they have of what all deliveries share.

An endpoint is one URL of one account. Two things are shared, both max-min fair
(`operations/fair_shares.py`): requests in flight, and lanes in memory.

```text
requests in flight:  all ─► account ─┬─► answering ─► host ─► URL
                                     └─► hanging ───► host ─► URL
lanes in memory:     all ─► account ─┬─► answering ─────────► URL
                                     └─► hanging ───────────► URL
```

An endpoint is *hanging* from a request that timed out until a delivery. Hanging endpoints are
probed: one request at a time each, few for one host, and few for one account. So they cannot take
the places of the account's other endpoints, either.

| state     | event              | becomes   | requests at once                               |
|-----------|--------------------|-----------|------------------------------------------------|
| answering | delivered          | answering | one more, up to 12; the host one more up to 16 |
| answering | timed out          | hanging   | 1; the host half as many, at least 2           |
| hanging   | delivered          | answering | one more                                       |
| hanging   | timed out          | hanging   | 1                                              |
| any       | failed in time     | the same  | as many as before                              |
| any       | nothing to deliver | forgotten | 4 when there is something again                |
| any       | too many are known | forgotten | 4 when it is due (`known_endpoints.py`)         |

A host is a scheme, host name and port. New endpoints count as answering, so a host that hangs is
found out with 16 requests and then probed with a few, however many URLs it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.fair_shares import FairShares
from parlour.protocol.egress_policy import EgressRefused
from parlour.protocol.signatures import prepare_url
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.delivery.lanes import Lane
    from parlour.operations.fair_shares import Share

EndpointKey = tuple[str, str]
"""The account and the URL."""
# Of endpoints that are not looked at; never written to.
_NO_LANES: Final[set[int]] = set()


def _host_of(url: str) -> str:
    """The scheme, host and port of a URL, or the URL itself if it cannot be requested."""
    try:
        prepared = prepare_url(url)
    except EgressRefused:
        return url
    return f"{prepared.scheme}://{prepared.host.name}:{prepared.port}"


class EndpointShares:
    """The two trees of shares, and where an endpoint stands in them."""

    def __init__(self) -> None:
        self.requests = FairShares(limits.WEBHOOKS_AT_ONCE_MAX)
        self.lanes = FairShares(limits.LANES_MAX)
        # What one account can have at most, alone: half of all, as both roots leave as much free.
        self._requests_each = max(1, limits.WEBHOOKS_AT_ONCE_MAX // 2)
        self._lanes_each = max(1, limits.LANES_MAX // 2)

    def of_requests(self, key: EndpointKey, host: str, *, is_hanging: bool) -> Share:
        """The leaf for the requests of an endpoint."""
        account = self.requests.child(key[0], self._requests_each)
        if is_hanging:
            kind = account.child("hanging", limits.PROBES_PER_ACCOUNT_MAX)
            return kind.child(host, limits.PROBES_PER_HOST_MAX).child(key)
        kind = account.child("answering", self._requests_each, greed=1)
        # One URL gets three quarters of what its host may have.
        return kind.child(host, limits.WEBHOOKS_AT_ONCE_PER_HOST_MAX, greed=3).child(key)

    def of_lanes(self, key: EndpointKey, *, is_hanging: bool) -> Share:
        """The leaf for the lanes in memory of an endpoint."""
        account = self.lanes.child(key[0], self._lanes_each)
        if is_hanging:
            return account.child("hanging", limits.LANES_HANGING_PER_ACCOUNT_MAX).child(key)
        return account.child("answering", self._lanes_each, greed=1).child(key)


class Endpoint:
    """One URL of one account."""

    __slots__ = (
        "_host",
        "_shares",
        "allowed",
        "is_due",
        "is_hanging",
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
    )

    def __init__(self, key: EndpointKey, shares: EndpointShares) -> None:
        self.key = key
        self.lanes: dict[int, Lane] = {}
        self.ready: dict[int, Lane] = {}
        self.sending = 0
        self.allowed = limits.WEBHOOKS_AT_ONCE_FIRST
        self.is_hanging = False
        # When to look for it on disk, and whether that time has come: then it waits for its turn.
        self.poll_ms: int | None = None
        self.is_due = False
        self.is_loading = False
        # While it is looked at: lanes of which something came that may not be in what is read of
        # them, and lanes that left, of which what is read may be done.
        self.missed: set[int] = _NO_LANES
        self.left: set[int] = _NO_LANES
        self._shares = shares
        self._host = _host_of(key[1])
        self.requests_share = shares.of_requests(key, self._host, is_hanging=False)
        self.lanes_share = shares.of_lanes(key, is_hanging=False)

    @property
    def room(self) -> int:
        """How many more lanes it may have in memory."""
        own = self.allowed * limits.LANES_PER_REQUEST_MAX - len(self.lanes)
        return min(own, self.lanes_share.room)

    def begin_load(self) -> None:
        """It is looked at from now on: note what comes and what leaves meanwhile."""
        self.is_loading = True
        self.missed, self.left = set(), set()

    def end_load(self) -> None:
        """It is looked at no more."""
        self.is_loading = False
        self.missed = self.left = _NO_LANES

    def update_wants(self) -> None:
        """Say what it wants a share of now. To be called after each change of its state."""
        self.requests_share.want(bool(self.ready) and self.sending < self.allowed)
        own_room = self.allowed * limits.LANES_PER_REQUEST_MAX - len(self.lanes)
        self.lanes_share.want(self.is_due and own_room > 0)

    def ended(self, share: Share, *, is_done: bool, timed_out: bool) -> None:
        """Give back the share of one request, and draw the conclusions from its outcome."""
        share.release()
        self.sending -= 1
        if timed_out:
            if not self.is_hanging:
                assert share.parent is not None
                least = limits.WEBHOOKS_AT_ONCE_PER_HOST_MIN
                share.parent.set_limit(max(least, share.parent.limit // 2))
            self.allowed = 1
            self._become(is_hanging=True)
        elif is_done:
            most = limits.WEBHOOKS_AT_ONCE_PER_ENDPOINT_MAX
            self.allowed = min(most, self.allowed + 1)
            self._become(is_hanging=False)
            host = self.requests_share.parent
            assert host is not None
            host.set_limit(min(limits.WEBHOOKS_AT_ONCE_PER_HOST_MAX, host.limit + 1))
        if share is not self.requests_share:
            share.discard()
        self.update_wants()

    def lane_left(self, share: Share) -> None:
        """Give back the place in memory of one lane."""
        share.release()
        if share is not self.lanes_share:
            share.discard()
        self.update_wants()

    def _become(self, *, is_hanging: bool) -> None:
        """Move to the other side of both trees. What is in use there is given back there."""
        if self.is_hanging == is_hanging:
            return
        self.is_hanging = is_hanging
        old = self.requests_share, self.lanes_share
        self.requests_share = self._shares.of_requests(self.key, self._host, is_hanging=is_hanging)
        self.lanes_share = self._shares.of_lanes(self.key, is_hanging=is_hanging)
        for share in old:
            share.want(False)
            share.discard()

    def leave(self) -> None:
        """Leave both trees; there is nothing more to deliver."""
        for share in (self.requests_share, self.lanes_share):
            share.want(False)
            share.discard()
