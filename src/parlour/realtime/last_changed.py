"""Cache of the last change of each conversation and user, which saves most scans of the log.

After a reconnect a client subscribes to all its objects again, each with the number of the last
event it knows. Nearly all of them did not change since. The cache has the last event of each
conversation and user, evicts the least recently changed, and knows from which number on it is
complete; older changes have to be looked up in the log. For conversations it reaches back further
than for users: the log is indexed by conversation, so that a new process can scan it backwards.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from parlour.store import event_log
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Store
    from parlour.vocabulary.event import Event

UNKNOWN: Final = -1


def user_conversations_key(service_sid: str, identity: str) -> str:
    """Return the cache key of a user's map of conversations."""
    return f"{service_sid} {identity}"


# Invariants:
#
# - Keys are in ascending order of their last change, so the first one is evicted.
# - A conversation that is not cached has not changed after ``_complete_from``, and a user not after
#   ``_users_complete_from``; earlier changes are unknown.
# - Neither number is less than ``_evicted_through``, the highest last change of an evicted key.
#   Changes are recorded during the scan of the log, so the scan stops at an eviction.
class LastChanged:
    """The last change of each conversation and user."""

    def __init__(self, keys_max: int = limits.RECENT_CHANGES_MAX) -> None:
        self._keys_max = keys_max
        self._last: OrderedDict[str, int] = OrderedDict()
        self._complete_from = 0
        self._users_complete_from = 0
        self._evicted_through = 0
        self.position = 0
        """The number of the last published event."""
        self.replayable_from = 0
        """Changes up to this event are not in the log: rows were replaced without events."""

    def reset(self, sequence: int) -> None:
        """Start with an empty cache that is complete after this event."""
        self._last = OrderedDict()  # A new one, so that a scan in progress notices.
        self._complete_from = self._users_complete_from = self.position = sequence
        self._evicted_through = 0

    def forget_through(self, sequence: int) -> None:
        """Evict all changes up to an event; a client that knows no later one reads all again."""
        self._last = OrderedDict()
        self._complete_from = self._users_complete_from = sequence
        self._evicted_through = sequence
        self.replayable_from = sequence

    def record(self, key: str, sequence: int) -> None:
        """Record a change. Numbers only grow."""
        self._last[key] = sequence
        self._last.move_to_end(key)
        if len(self._last) > self._keys_max:
            # Its absence proves nothing about events before its last change.
            _, dropped = self._last.popitem(last=False)
            self._evicted_through = max(self._evicted_through, dropped)
            self._complete_from = max(self._complete_from, dropped)
            self._users_complete_from = max(self._users_complete_from, dropped)

    def last(self, key: str) -> int:
        """Return the number of the last change of a key; UNKNOWN if it is not cached."""
        return self._last.get(key, UNKNOWN)

    def changed_since(self, conversation_sid: str, number: int) -> bool:
        """Whether a conversation may have changed after this event."""
        return self._changed_since(conversation_sid, number, self._complete_from)

    def user_changed_since(self, key: str, number: int) -> bool:
        """Whether a user, or its map of conversations, may have changed after this event."""
        return self._changed_since(key, number, self._users_complete_from)

    def _changed_since(self, key: str, number: int, complete_from: int) -> bool:
        last = self._last.get(key)
        if last is not None:
            return last > number
        return number < complete_from

    async def scan_back(self, store: Store) -> None:
        """Fill the cache with conversations that changed before the start, up to its limits."""
        scanned = 0
        before = self._complete_from + 1
        last = self._last
        while scanned < limits.BACK_SCAN_EVENTS_MAX and len(self._last) < self._keys_max:
            end = before
            found = await store.read(
                lambda tx, end=end: event_log.conversations_before(  # type: ignore[misc]
                    tx, end, limits.BACK_SCAN_EVENTS_PER_STEP
                )
            )
            if self._last is not last:
                return  # Reset during the read: the cache is a new scan's.
            if self._evicted_through:
                # An evicted conversation must not come back with an earlier change.
                break
            for sequence, conversation_sid in found:
                before = sequence
                if conversation_sid and conversation_sid not in self._last:
                    self._last[conversation_sid] = sequence
                    self._last.move_to_end(conversation_sid, last=False)
            scanned += len(found)
            if len(found) < limits.BACK_SCAN_EVENTS_PER_STEP:
                before = 1
                break
        self._complete_from = max(min(self._complete_from, before - 1), self._evicted_through)


def changed_keys(event: Event) -> tuple[str, ...]:
    """Return the cache keys that an event changes, without reading its payload."""
    if event.conversation_sid:
        return (event.conversation_sid,)
    return (event.subject_sid,)
