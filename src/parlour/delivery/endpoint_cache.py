"""The cache of endpoints, and the accounts that have further endpoints on disk only.

An endpoint is *idle* while it has no lane, no request in flight and no read in progress. Its only
information is its due time, which is on disk too. When the cache is full, idle endpoints are
evicted: the oldest ones of the account with the most. After an eviction only the time remains at
which to search the account for due endpoints (``due_poller.py``). An evicted endpoint returns as a
new one, so it counts as hanging only after another timeout.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from parlour.delivery.endpoints import Endpoint, EndpointShares
from parlour.delivery.states import EndpointState
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parlour.delivery.endpoints import EndpointKey
    from parlour.operations.fair_shares import Share


def _is_idle(endpoint: Endpoint) -> bool:
    return not (endpoint.lanes or endpoint.sending or endpoint.is_loading)


class EndpointCache:
    """Endpoints by key, the oldest first."""

    # Invariants:
    #   - At most ENDPOINTS_KNOWN_MAX endpoints, unless more than that are in use: an endpoint that
    #     is not idle is never evicted.
    #   - An endpoint with pending deliveries is cached, or its account is in ``_search_ms`` at its
    #     due time or before, or a search in progress will find it. Otherwise its deliveries would
    #     never be sent.

    def __init__(self, shares: EndpointShares) -> None:
        self._shares = shares
        self._endpoints: dict[EndpointKey, Endpoint] = {}
        self._of_account: Counter[str] = Counter()
        # Accounts with endpoints that are not cached, and when the first of them is due.
        self._search_ms: dict[str, int] = {}
        # After an eviction in vain: no other attempt before, since each scans all endpoints.
        self._full_until_ms = 0

    def __len__(self) -> int:
        return len(self._endpoints)

    def __iter__(self) -> Iterator[Endpoint]:
        """Return an iterator over a copy, so that the loop may add and remove endpoints."""
        return iter(tuple(self._endpoints.values()))

    def get(self, key: EndpointKey) -> Endpoint | None:
        """Return the endpoint, if it is cached."""
        return self._endpoints.get(key)

    def of(self, share: Share) -> Endpoint:
        """Return the endpoint of a leaf of one of the trees."""
        return self._endpoints[share.key]  # type: ignore[index]

    def get_or_create(self, key: EndpointKey) -> Endpoint:
        """Return the endpoint, created if it is not cached."""
        endpoint = self._endpoints.get(key)
        if endpoint is None:
            if len(self._endpoints) >= limits.ENDPOINTS_KNOWN_MAX:
                self._evict_idle(None)
            endpoint = self._endpoints[key] = Endpoint(key, self._shares)
            endpoint.enter(EndpointState.ANSWERING)
            self._of_account[key[0]] += 1
        return endpoint

    def remove(self, endpoint: Endpoint) -> None:
        """Remove an endpoint that has no deliveries, or is evicted."""
        if endpoint.key in self._endpoints:
            found = self._endpoints.pop(endpoint.key)
            assert found is endpoint, endpoint.key
            self._of_account[endpoint.key[0]] -= 1
            if not self._of_account[endpoint.key[0]]:
                del self._of_account[endpoint.key[0]]
            endpoint.leave()

    # --- Endpoints that are not cached --------------------------------------------------------

    def has_room(self, now_ms: int) -> bool:
        """Return whether a due endpoint fits; evict idle ones that are not due if need be."""
        if len(self._endpoints) < limits.ENDPOINTS_KNOWN_MAX:
            return True
        if now_ms < self._full_until_ms:
            return False
        if self._evict_idle(now_ms):
            return True
        self._full_until_ms = now_ms + limits.ENDPOINTS_FULL_MS
        return False

    def schedule_search(self, account_sid: str, due_ms: int) -> None:
        """Search the account for due endpoints, at this time or before."""
        self._search_ms[account_sid] = min(due_ms, self._search_ms.get(account_sid, due_ms))

    def take_due_searches(self, now_ms: int) -> list[str]:
        """Return the accounts to search for due endpoints now, and clear their schedule."""
        due = [each for each, due_ms in self._search_ms.items() if due_ms <= now_ms]
        if not due or not self.has_room(now_ms):
            return []
        for account_sid in due:
            del self._search_ms[account_sid]
        return due

    def search_all(self) -> None:
        """Search all scheduled accounts now, since the clock was set back."""
        self._search_ms = dict.fromkeys(self._search_ms, 0)
        self._full_until_ms = 0

    def drop_searches(self, accounts: Callable[[str], bool]) -> None:
        """Drop the schedule of some accounts."""
        self._search_ms = {sid: at for sid, at in self._search_ms.items() if not accounts(sid)}

    def next_search_ms(self) -> int | None:
        """Return when accounts are to be searched next."""
        if not self._search_ms:
            return None
        is_full = len(self._endpoints) >= limits.ENDPOINTS_KNOWN_MAX
        return max(min(self._search_ms.values()), self._full_until_ms if is_full else 0)

    def _evict_idle(self, now_ms: int | None) -> int:
        """Evict some idle endpoints, but none that is due by now; return how many."""
        largest = max(self._of_account, key=self._of_account.__getitem__)
        idle = (
            each
            for each in self._endpoints.values()
            if _is_idle(each) and (now_ms is None or (each.poll_ms or 0) > now_ms)
        )
        candidates = list(idle)
        chosen = [each for each in candidates if each.key[0] == largest] or candidates
        del chosen[limits.ENDPOINTS_DROPPED_PER_STEP_MAX :]
        for endpoint in chosen:
            if endpoint.poll_ms is not None:
                self.schedule_search(endpoint.key[0], endpoint.poll_ms)
            self.remove(endpoint)
        return len(chosen)
