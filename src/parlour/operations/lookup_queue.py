"""Names that wait to be looked up, in turns over the addresses that ask for them. Pure.

Each read has places of two kinds:

| places                    | names                                                               |
|---------------------------|---------------------------------------------------------------------|
| due, three quarters of    | the oldest, as many as it takes to serve every name that waits      |
| the read at most          | within LOGIN_LOOKUP_READS_MAX reads of its arrival, at an even pace |
| in turn, one quarter      | a few of each address in turn, so that an address that asks for few |
|                           | names is served at once                                             |

The due places keep that promise if they are at least ``2 * waiting_max`` divided by
LOGIN_LOOKUP_READS_MAX: a name has at most so many others before it when it arrives, and the part of
them that each read takes never has to grow until the name is taken.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from parlour.vocabulary import limits

# Of a read, one part in so many is for the turns of the addresses.
_IN_TURN_PART: Final = 4


class LookupQueue:
    """A queue for each address; one that asks for many names waits for them behind the others.

    When it is full, an address that has its share of it or more gets no further place. One that
    has less still does, until there are twice as many names.
    """

    def __init__(self, waiting_max: int = limits.LOGIN_LOOKUPS_WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        # Both levels are in order; the value of a name means nothing.
        self._names: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        # The same names, oldest first, with the number of the read before which each came ...
        self._since: OrderedDict[tuple[str, str], int] = OrderedDict()
        # ... and how many of those that came before each read still wait.
        self._arrivals: dict[int, int] = {}
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
            mine = self._names[peer] = OrderedDict()
        mine[name] = None
        self._since[peer, name] = self._reads
        self._arrivals[self._reads] = self._arrivals.get(self._reads, 0) + 1
        return True

    def take(self, count: int) -> list[str]:
        """Take the next names, at most ``count``: due ones, then a few of each address in turn."""
        self._reads += 1
        in_turn = max(1, count // _IN_TURN_PART)
        taken: dict[str, None] = {}
        # How many more names of an address may be taken in turn: a due one was one of them.
        left: dict[str, int] = {}
        for _ in range(min(self._due(), count - in_turn)):
            peer, _name = next(iter(self._since))
            taken[self._take_oldest(peer)] = None
            left[peer] = left.get(peer, limits.LOGIN_LOOKUP_NAMES_PER_PEER) - 1
        in_turn += len(taken)
        served: dict[str, OrderedDict[str, None]] = {}
        while self._names and len(taken) < in_turn:
            peer = next(iter(self._names))
            left.setdefault(peer, limits.LOGIN_LOOKUP_NAMES_PER_PEER)
            if left[peer] > 0:
                taken[self._take_oldest(peer)] = None
                left[peer] -= 1
            else:
                served[peer] = self._names.pop(peer)
        self._names.update(served)
        return list(taken)

    def _due(self) -> int:
        """How many of the oldest names to take now, so that none has to wait for too many reads."""
        due = waiting = 0
        for read, count in self._arrivals.items():
            waiting += count
            reads_left = limits.LOGIN_LOOKUP_READS_MAX - (self._reads - 1 - read)
            due = max(due, -(-waiting // max(1, reads_left)))
        return due

    def _take_oldest(self, peer: str) -> str:
        """Take the oldest name of an address, which is then the last in turn."""
        mine = self._names[peer]
        name, _ = mine.popitem(last=False)
        if mine:
            self._names.move_to_end(peer)
        else:
            del self._names[peer]
        read = self._since.pop((peer, name))
        self._arrivals[read] -= 1
        if not self._arrivals[read]:
            del self._arrivals[read]
        return name
