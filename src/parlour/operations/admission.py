"""Admission control: which requests are rejected under overload, decided before any work.

Two limits count requests in progress: ``T`` for the server and ``A`` for one account. Below both,
every request is admitted. At one of them, the fair share decides:

- The server is full. An account's share is ``T`` divided by the contending accounts: those with a
  request in progress, and those that hit a limit within the last second. A request of an account
  below its share is admitted, so no account is rejected because of others.
- An account is at its limit (``A``, or its share of a full server). A member's share is that limit
  divided by the contending members. Members are the account's chat users, each by identity, and
  all callers with the account's logins together (identity None). A member below its share is
  admitted.

Every other request is rejected: with 429 if its account or member is above its share, with 503 if
the server is full and all accounts are within their shares.

``refusal_status`` applies the same shares to a server at its limit of requests in flight
(work_limit.py), which adapts to their speed: that limit is ``T`` then.

So ``T`` can be exceeded, but not by much. Take the last moment at which at most ``T`` requests were
in progress. After it, only accounts below their shares were admitted. Sort these accounts by their
last admission: when the j-th was admitted, j of them contended, so it had at most ``T / j``.
With k such accounts, at most ``T * (1 + 1 + 1/2 + ... + 1/k) <= T * (2 + ln k)`` requests are in
progress. The same holds for ``A`` and the members of one account. Memory is bounded by the byte
pool (``buffers.py``), not by the count of requests.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from parlour.vocabulary import limits
from parlour.vocabulary.errors import RETRY_AFTER, ApiError

if TYPE_CHECKING:
    from parlour.vocabulary.clock import Clock

_running: Final = attrgetter("running")

N = TypeVar("N", bound="_MemberLoad")


class Owner(NamedTuple):
    """A member of an account: the unit in which slots are counted."""

    account_sid: str
    identity: str | None


class _Contenders(Generic[N]):
    """The contending accounts or members: with requests in progress, or a recent limit hit."""

    __slots__ = ("_limit_hits", "found")

    def __init__(self) -> None:
        self.found: dict[str | None, N] = {}
        self._limit_hits: dict[str | None, float] = {}  # Times, the oldest first.

    def record_limit_hit(self, name: str | None, now_ms: float) -> None:
        """Count one as contending for ``CONTENTION_MS``, and expire earlier limit hits."""
        self._limit_hits.pop(name, None)
        self._limit_hits[name] = now_ms
        if len(self._limit_hits) > limits.CONTENDERS_MAX:
            self._remove_limit_hit(next(iter(self._limit_hits)))
        while True:  # Ends at the latest with the entry added above.
            oldest, met_ms = next(iter(self._limit_hits.items()))
            if met_ms > now_ms - limits.CONTENTION_MS:
                return
            self._remove_limit_hit(oldest)

    def _remove_limit_hit(self, name: str | None) -> None:
        del self._limit_hits[name]
        if not self.found[name].running:
            del self.found[name]

    def leave(self, name: str | None) -> None:
        """Remove one without requests in progress, unless it hit a limit recently."""
        if name not in self._limit_hits:
            del self.found[name]


class _MemberLoad:
    """The requests in progress of one member of an account."""

    __slots__ = ("identity", "running")

    def __init__(self, identity: str | None) -> None:
        self.identity = identity
        self.running = 0


class _AccountLoad(_MemberLoad):
    """The requests in progress of one account."""

    __slots__ = ("members", "sid")

    def __init__(self, sid: str) -> None:
        super().__init__(None)
        self.sid = sid
        self.members: _Contenders[_MemberLoad] = _Contenders()

    def largest(self) -> Owner:
        """Return the member with the most requests in progress."""
        return Owner(self.sid, max(self.members.found.values(), key=_running).identity)


class Admission:
    """Counts the requests in progress: in all, of each account and of each of its members."""

    def __init__(self, clock: Clock, *, in_all_max: int, of_account_max: int) -> None:
        self._clock = clock
        self._in_all_max = in_all_max
        self._of_account_max = of_account_max
        self.running = 0
        self._accounts: _Contenders[_AccountLoad] = _Contenders()

    def enter(self, account_sid: str, identity: str | None = None) -> Owner | None:
        """Admit a request, or raise 429 or 503.

        Return None, or, if the request was admitted above a limit, the owner that is most above
        its share.
        """
        account, member = self._find(account_sid, identity)
        largest = None
        if self.running >= self._in_all_max or account.running >= self._of_account_max:
            largest = self._admit_over_limit(account, member)
        self.running += 1
        account.running += 1
        member.running += 1
        return largest

    def refusal_status(self, places: int, account_sid: str, identity: str | None = None) -> int:
        """Return the status to reject a request with while ``places`` others are in flight.

        429 or 503; 0 if it is below its share of these places, and not to be rejected.
        """
        account, member = self._find(account_sid, identity)
        return self._status(account, member, self._limit(account, member, places), places)

    def _find(self, account_sid: str, identity: str | None) -> tuple[_AccountLoad, _MemberLoad]:
        account = self._accounts.found.get(account_sid)
        if account is None:
            account = self._accounts.found[account_sid] = _AccountLoad(account_sid)
        member = account.members.found.get(identity)
        if member is None:
            member = account.members.found[identity] = _MemberLoad(identity)
        return account, member

    def _limit(self, account: _AccountLoad, member: _MemberLoad, places: int) -> int:
        """Count a request that hit a limit; return its account's share of a full server.

        ``places``: the server's limit if it is full, else 0.
        """
        now_ms = self._clock.monotonic_ms()
        self._accounts.record_limit_hit(account.sid, now_ms)
        account.members.record_limit_hit(member.identity, now_ms)
        limit = self._of_account_max
        return min(limit, places // len(self._accounts.found)) if places else limit

    def _status(self, account: _AccountLoad, member: _MemberLoad, limit: int, places: int) -> int:
        """Return 0 if a request is below its share, else the status to reject it with."""
        if account.running < limit or member.running < limit // len(account.members.found):
            return 0
        return 503 if self._are_all_within_shares(account, places) else 429

    def _admit_over_limit(self, account: _AccountLoad, member: _MemberLoad) -> Owner:
        """Return the owner most above its share if this request is below its own; else raise."""
        places = self._in_all_max if self.running >= self._in_all_max else 0
        limit = self._limit(account, member, places)
        status = self._status(account, member, limit, places)
        if status:
            raise ApiError(20503 if status == 503 else 20429, headers=RETRY_AFTER)
        if account.running < limit:
            return max(self._accounts.found.values(), key=_running).largest()
        return account.largest()

    def _are_all_within_shares(self, account: _AccountLoad, places: int) -> bool:
        """Return whether the server is full with all accounts within their shares and limits."""
        if not places or account.running >= self._of_account_max:
            return False
        share = -(-places // len(self._accounts.found))  # Ceiling division.
        return all(each.running <= share for each in self._accounts.found.values())

    def running_of(self, account_sid: str) -> int:
        """Return the number of requests of this account in progress."""
        account = self._accounts.found.get(account_sid)
        return account.running if account else 0

    def leave(self, account_sid: str, identity: str | None = None) -> None:
        """Release the slot of a request after its response."""
        account = self._accounts.found[account_sid]
        member = account.members.found[identity]
        assert member.running > 0
        self.running -= 1
        account.running -= 1
        member.running -= 1
        if not member.running:
            account.members.leave(identity)
            if not account.running:
                self._accounts.leave(account_sid)
