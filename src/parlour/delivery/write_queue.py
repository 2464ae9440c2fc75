"""What waits to be written to disk: oldest first, and counted for each account."""

from __future__ import annotations

from collections import Counter, deque
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


class WriteQueue(Generic[T]):
    """A queue of entries of several accounts. Its writer takes the first ones, many at once.

    An entry stays in the queue until it is written, so that a failed write repeats it.
    """

    def __init__(self) -> None:
        self._entries: deque[tuple[str, T]] = deque()  # tidy: bounded - its users ask for room
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, account_sid: str, entry: T) -> None:
        """Queue an entry."""
        self._entries.append((account_sid, entry))
        self._counts[account_sid] += 1

    def count_of(self, account_sid: str) -> int:
        """How many entries of an account wait."""
        return self._counts.get(account_sid, 0)

    def has_room(self, account_sid: str, most: int) -> bool:
        """Whether an account may add one where all together may have so many.

        An account has at most as many as are free, so that the others find room.
        """
        return self.count_of(account_sid) < most - len(self._entries)

    def first(self, count: int) -> list[T]:
        """The first entries; they stay."""
        return [entry for _, entry in islice(self._entries, count)]

    def written(self) -> None:
        """Forget the first entry: it is on disk."""
        account_sid, _ = self._entries.popleft()
        self._counts[account_sid] -= 1
        if not self._counts[account_sid]:
            del self._counts[account_sid]

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._counts.clear()
