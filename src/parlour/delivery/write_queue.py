"""A FIFO queue of entries that are to be written to disk, counted for each account."""

from __future__ import annotations

from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class QueuedEntry(Generic[T]):
    """An entry of an account, with the SID in the webhook log that its first write chooses."""

    # A write whose outcome is unknown is repeated: under the same SID it inserts no second row.

    def __init__(self, account_sid: str, entry: T) -> None:
        self.account_sid = account_sid
        self.entry = entry
        self.sid: str | None = None


class WriteQueue(Generic[T]):
    """A queue of entries of several accounts, for one writer that writes them in batches.

    An entry stays in the queue until it is written, so that a failed write is retried.
    """

    # Protocol of the writer: ``first`` peeks at a batch, then after the commit ``written`` once
    # for each entry of it. New entries are appended in the meantime, so the head does not change.

    def __init__(self) -> None:
        # Pre-action requests are added only while there is room. Results are always added: at
        # ATTEMPTS_UNRECORDED_MAX only accounts without unrecorded results send, and the results of
        # requests in flight (WEBHOOKS_AT_ONCE_MAX) come on top.
        self._entries: deque[QueuedEntry[T]] = deque()  # tidy: bounded - by has_room, or the sender
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, account_sid: str, entry: T) -> None:
        """Queue an entry."""
        self._entries.append(QueuedEntry(account_sid, entry))
        self._counts[account_sid] += 1

    def count_of(self, account_sid: str) -> int:
        """Return the number of queued entries of an account."""
        return self._counts.get(account_sid, 0)

    def account_sids(self) -> list[str]:
        """Return the accounts that have queued entries."""
        return list(self._counts)

    def has_room(self, account_sid: str, most: int) -> bool:
        """Return whether an account may add an entry, where all together may have ``most``."""
        # At most as many as remain free: one account gets half of the queue, and leaves room for
        # others.
        return self.count_of(account_sid) < most - len(self._entries)

    def first(self, count: int) -> list[QueuedEntry[T]]:
        """Return the first entries without removing them."""
        return list(islice(self._entries, count))

    def written(self) -> None:
        """Remove the first entry after it was written."""
        account_sid = self._entries.popleft().account_sid
        self._counts[account_sid] -= 1
        if not self._counts[account_sid]:
            del self._counts[account_sid]

    def drop(self, accounts: Callable[[str], bool]) -> None:
        """Remove the entries of some accounts. Not while a batch is being written."""
        left = [each for each in self._entries if not accounts(each.account_sid)]
        self.clear()
        self._entries.extend(left)
        self._counts.update(each.account_sid for each in left)

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()
        self._counts.clear()
