"""The queue of login names for batched lookups, fair to the client addresses. Pure.

Each batch has slots of two kinds:

| slots                     | names                                                               |
|---------------------------|---------------------------------------------------------------------|
| due, three quarters of    | the oldest, as many as needed to serve every queued name within     |
| the batch at most         | LOGIN_LOOKUP_READS_MAX batches of its arrival, at an even pace      |
| round-robin, one quarter  | a few of each address, so that an address with few names is served  |
|                           | at once                                                             |

The due slots suffice if they are at least ``2 * waiting_max`` divided by LOGIN_LOOKUP_READS_MAX: a
name has at most ``2 * waiting_max`` others before it on arrival, and the fraction of them that each
batch takes never has to grow until the name is taken.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from parlour.vocabulary import limits

# Divisor: the part of a batch that is taken round-robin over the addresses.
_IN_TURN_PART: Final = 4


class LookupQueue:
    """A queue for each address, so that an address with many names does not delay the others.

    At ``waiting_max`` names, an address at or above its share is rejected. One below its share is
    accepted, up to twice as many names.
    """

    def __init__(self, waiting_max: int = limits.LOGIN_LOOKUPS_WAITING_MAX) -> None:
        self._waiting_max = waiting_max
        # Both levels are ordered sets.
        self._names: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        # The same names, oldest first, with the number of the batch before which each arrived.
        self._since: OrderedDict[tuple[str, str], int] = OrderedDict()
        # The number of queued names by that batch.
        self._arrivals: dict[int, int] = {}
        self._reads = 0

    def __len__(self) -> int:
        """Return the number of queued names."""
        return len(self._since)

    def add(self, peer: str, name: str) -> bool:
        """Enqueue a name unless it is queued; return False if the queue is full for its address."""
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
        """Dequeue at most ``count`` names: due ones, then a few of each address round-robin."""
        self._reads += 1
        in_turn = max(1, count // _IN_TURN_PART)
        taken: dict[str, None] = {}
        # The remaining names of each address in this batch: a due one counts too.
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
        """Return how many of the oldest names to take so that each is served in time."""
        due = waiting = 0
        for read, count in self._arrivals.items():
            waiting += count
            reads_left = limits.LOGIN_LOOKUP_READS_MAX - (self._reads - 1 - read)
            due = max(due, -(-waiting // max(1, reads_left)))
        return due

    def _take_oldest(self, peer: str) -> str:
        """Dequeue the oldest name of an address, and move the address to the end of the order."""
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
