"""Names that wait to be looked up, in turns over the addresses that ask for them. Pure."""

from __future__ import annotations

from parlour.vocabulary import limits


class LookupQueue:
    """A queue for each address; whoever asks for many names waits for them behind the others.

    When it is full, an address that has its share of it or more gets no further place. One that
    has less still does, until there are twice as many names.
    """

    def __init__(self, waiting_max: int = limits.LOGIN_LOOKUPS_WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        # Both levels are in order; the value of a name means nothing.
        self._names: dict[str, dict[str, None]] = {}
        self._waiting = 0

    def __len__(self) -> int:
        """How many names wait."""
        return self._waiting

    def add(self, peer: str, name: str) -> bool:
        """Let a name wait, if it does not yet; whether there was room for it."""
        mine = self._names.get(peer)
        if mine is not None and name in mine:
            return True
        if self._waiting >= self._waiting_max:
            share = self._waiting_max // (len(self._names) + (mine is None))
            is_within = (0 if mine is None else len(mine)) < share
            if not is_within or self._waiting >= 2 * self._waiting_max:
                return False
        if mine is None:
            mine = self._names[peer] = {}
        mine[name] = None
        self._waiting += 1
        return True

    def take(self, count: int) -> list[str]:
        """The next names, at most so many: one of each address, then another one of each ….

        Of one address they are a few, or one in 25 of those that wait: who guesses is served at a
        pace that depends on how many of its requests wait at once, not on how quick it is.
        """
        taken: dict[str, None] = {}
        left: dict[str, int] = {}
        served: dict[str, dict[str, None]] = {}
        while self._names and len(taken) < count:
            peer = next(iter(self._names))
            mine = self._names.pop(peer)
            quota = left.get(peer) or _quota(len(mine))
            name = next(iter(mine))
            del mine[name]
            self._waiting -= 1
            taken[name] = None
            left[peer] = quota - 1
            if mine:
                (self._names if left[peer] else served)[peer] = mine
        self._names.update(served)
        return list(taken)


def _quota(waiting: int) -> int:
    """How many names of an address with so many waiting are taken at once."""
    of_backlog = -(-waiting // limits.LOGIN_LOOKUP_BACKLOG_READS)
    return max(limits.LOGIN_LOOKUP_NAMES_PER_PEER, of_backlog)
