"""Connection slots for the WebSockets of users, shared max-min fair by account and by user.

A socket stays open for hours, so a slot is reclaimed when another user has fewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from parlour.realtime.hub import UserKey

K = TypeVar("K", bound="Hashable")

# With a difference of one, two clients that reconnect would displace each other indefinitely. An
# account within its equal share of a full process is always two below the largest: the others have
# more than their equal shares together, so one of them has a whole socket more than that share. The
# same holds for users of a full account. The newest is displaced, so that a client that opens too
# many loses the surplus, and not the sockets that it uses.
_DIFFERENCE_MIN = 2


class Displaceable(Protocol):
    """A socket of a user, possibly still authenticating."""

    user_key: UserKey

    def displace(self) -> None:
        """Close the connection: another user gets its slot."""
        ...


# Every operation takes constant time: a count changes by one, so the largest count stays the same,
# or increases or decreases by one.
class _Ranking(Generic[K]):
    """Counts of sockets by party, and the parties with each count."""

    __slots__ = ("_by_count", "_counts", "largest_count", "total")

    def __init__(self) -> None:
        self.total = 0
        self.largest_count = 0
        self._counts: dict[K, int] = {}
        self._by_count: dict[int, dict[K, None]] = {}

    def count_of(self, party: K) -> int:
        """Return how many sockets a party has."""
        return self._counts.get(party, 0)

    def largest(self) -> K:
        """Return a party with the most sockets, of which there has to be one."""
        return next(iter(self._by_count[self.largest_count]))

    def is_well_below_largest(self, party: K) -> bool:
        """Whether a party may have one more at the expense of the largest."""
        return self.count_of(party) + _DIFFERENCE_MIN <= self.largest_count

    def add(self, party: K) -> None:
        """Count one socket more."""
        self.total += 1
        self._move(party, self.count_of(party) + 1)

    def remove(self, party: K) -> None:
        """Count one socket less."""
        self.total -= 1
        self._move(party, self._counts[party] - 1)

    def _move(self, party: K, count: int) -> None:
        previous = self._counts.pop(party, 0)
        if previous:
            same = self._by_count[previous]
            del same[party]
            if not same:
                del self._by_count[previous]
        if count:
            self._counts[party] = count
            self._by_count.setdefault(count, {})[party] = None
        if count > self.largest_count or self.largest_count not in self._by_count:
            self.largest_count = count


class _AccountSockets:
    """The sockets of one account: of each user, the oldest first."""

    __slots__ = ("by_user", "users")

    def __init__(self) -> None:
        self.users: _Ranking[UserKey] = _Ranking()
        self.by_user: dict[UserKey, dict[Displaceable, None]] = {}

    def newest_of_largest(self) -> Displaceable:
        """Return the socket that is displaced if one of this account has to be."""
        return next(reversed(self.by_user[self.users.largest()]))


# Below both caps, of the process and of the account, every socket gets a slot. At one of them, a
# new socket gets the slot of another one, if that leaves the gaining side no larger than the losing
# one:
#
# - The process is full, and the account has at least two sockets fewer than the largest account:
#   the newest socket of the largest user of the largest account is displaced.
# - Otherwise, the user has at least two sockets fewer than the largest user of the same account:
#   the newest socket of that user is displaced.
# - Otherwise the new socket is rejected: its user is itself among the largest ones.
class SocketShares:
    """The connection slots of one process."""

    def __init__(self, *, total_max: int, per_account_max: int) -> None:
        self._total_max = total_max
        self._per_account_max = per_account_max
        self._ranking: _Ranking[str] = _Ranking()
        self._accounts: dict[str, _AccountSockets] = {}

    def acquire(self, socket: Displaceable) -> bool:
        """Give a socket a slot, if necessary of a displaced one; return False if it is rejected."""
        key = socket.user_key
        sid = key.account_sid
        is_full = self._ranking.total >= self._total_max
        if is_full or self._ranking.count_of(sid) >= self._per_account_max:
            displaced = self._find_displaceable(key, is_full=is_full)
            if displaced is None:
                return False
            self.release(displaced)
            displaced.displace()
        account = self._accounts.get(sid)
        if account is None:
            account = self._accounts[sid] = _AccountSockets()
        account.by_user.setdefault(key, {})[socket] = None
        account.users.add(key)
        self._ranking.add(sid)
        return True

    def _find_displaceable(self, key: UserKey, *, is_full: bool) -> Displaceable | None:
        """Return the socket to displace for a new one of this user, or None.

        ``is_full``: the process has no free slot; otherwise the account has none.
        """
        account = self._accounts.get(key.account_sid)
        if is_full and self._ranking.is_well_below_largest(key.account_sid):
            return self._accounts[self._ranking.largest()].newest_of_largest()
        if account is not None and account.users.is_well_below_largest(key):
            return account.newest_of_largest()
        return None

    def release(self, socket: Displaceable) -> None:
        """Release the slot of a socket, if it has one."""
        key = socket.user_key
        account = self._accounts.get(key.account_sid)
        if account is None or socket not in account.by_user.get(key, ()):
            return
        own = account.by_user[key]
        del own[socket]
        if not own:
            del account.by_user[key]
        account.users.remove(key)
        self._ranking.remove(key.account_sid)
        if not account.by_user:
            del self._accounts[key.account_sid]
