"""Names that wait to be looked up, in turns over the addresses that ask for them. Pure.

Each read takes overdue names first, oldest first, for up to three quarters of its places. The
others go to the addresses in turn. So an address that asks for few names is served at once, and
the wait of every name is bounded:

    reads until a name is overdue         LOGIN_LOOKUP_OVERDUE_READS
    + reads until the queue before it     2 * waiting_max / (3/4 of the names of a read)
      is empty
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from parlour.vocabulary import limits

# Of a read, the part that overdue names may take.
_OVERDUE_PART: Final = 3 / 4


class LookupQueue:
    """A queue for each address; one that asks for many names waits for them behind the others.

    When it is full, an address that has its share of it or more gets no further place. One that
    has less still does, until there are twice as many names.
    """

    def __init__(self, waiting_max: int = limits.LOGIN_LOOKUPS_WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        # Both levels are in order; the value of a name means nothing.
        self._names: dict[str, dict[str, None]] = {}
        # The same names, oldest first, with the number of the read before which each came.
        self._since: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._reads = 0

    def __len__(self) -> int:
        """How many names wait."""
        return len(self._since)

    def add(self, peer: str, name: str) -> bool:
        """Let a name wait, if it does not yet; return whether there was room for it."""
        mine = self._names.get(peer)
        if mine is not None and name in mine:
            return True
        waiting = len(self._since)
        if waiting >= self._waiting_max:
            share = self._waiting_max // (len(self._names) + (mine is None))
            is_within = (0 if mine is None else len(mine)) < share
            if not is_within or waiting >= 2 * self._waiting_max:
                return False
        if mine is None:
            mine = self._names[peer] = {}
        mine[name] = None
        self._since[peer, name] = self._reads
        return True

    def take(self, count: int) -> list[str]:
        """Take the next names, at most ``count``: overdue ones, then one of each address in turn.

        Of one address they are a few, or one in 25 of those that wait: guesses are served at a
        pace that depends on how many of them wait at once, not on how quick the client is.
        """
        self._reads += 1
        taken = self._take_overdue(int(count * _OVERDUE_PART))
        left: dict[str, int] = {}
        served: dict[str, dict[str, None]] = {}
        while self._names and len(taken) < count:
            peer = next(iter(self._names))
            mine = self._names.pop(peer)
            quota = left.get(peer) or _quota(len(mine))
            name = next(iter(mine))
            del mine[name], self._since[peer, name]
            taken[name] = None
            left[peer] = quota - 1
            if mine:
                (self._names if left[peer] else served)[peer] = mine
        self._names.update(served)
        return list(taken)

    def _take_overdue(self, count: int) -> dict[str, None]:
        """Take the names that have waited for too many reads, at most ``count``."""
        taken: dict[str, None] = {}
        while self._since and len(taken) < count:
            (peer, name), since = next(iter(self._since.items()))
            if self._reads - since <= limits.LOGIN_LOOKUP_OVERDUE_READS:
                break
            mine = self._names[peer]
            del mine[name], self._since[peer, name]
            if not mine:
                del self._names[peer]
            taken[name] = None
        return taken


def _quota(waiting: int) -> int:
    """How many names of an address with so many waiting are taken at once."""
    of_backlog = -(-waiting // limits.LOGIN_LOOKUP_BACKLOG_READS)
    return max(limits.LOGIN_LOOKUP_NAMES_PER_PEER, of_backlog)
