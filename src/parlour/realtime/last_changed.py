"""When a conversation or a user last changed: by it most subscriptions need no look at the log.

After a reconnect a client subscribes to everything anew, each object with the number it has seen.
Nearly all of them did not change meanwhile. This remembers the number of the last event of each
conversation and user, for as many as there is room for, and from which number on it knows
everything; what is older than that has to be looked up. Of conversations it knows more than of
users: the log is indexed by them, so that a new process can look back at what they did.
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
    """What a user's map of conversations is remembered under."""
    return f"{service_sid} {identity}"


class LastChanged:
    """The last change of each conversation and user."""

    def __init__(self, keys_max: int = limits.RECENT_CHANGES_MAX) -> None:
        self._keys_max = keys_max
        self._last: OrderedDict[str, int] = OrderedDict()
        self._complete_from = 0
        self._users_complete_from = 0
        self.position = 0
        """The number of the last event that was noted, and told to whom it concerns."""

    def reset(self, sequence: int) -> None:
        """From the event after this number on, everything is noted."""
        self._last.clear()
        self._complete_from = self._users_complete_from = self.position = sequence

    def record(self, key: str, sequence: int) -> None:
        """Something changed; numbers only grow."""
        self._last[key] = sequence
        self._last.move_to_end(key)
        if len(self._last) > self._keys_max:
            _, dropped = self._last.popitem(last=False)
            self._complete_from = max(self._complete_from, dropped)
            self._users_complete_from = max(self._users_complete_from, dropped)

    def last(self, key: str) -> int:
        """The number of its last change; UNKNOWN if it has none since ``complete_from``."""
        return self._last.get(key, UNKNOWN)

    def changed_since(self, conversation_sid: str, number: int) -> bool:
        """Whether a conversation may have changed after an event with this number."""
        return self._changed_since(conversation_sid, number, self._complete_from)

    def user_changed_since(self, key: str, number: int) -> bool:
        """Whether a user, or its map of conversations, may have changed after such an event."""
        return self._changed_since(key, number, self._users_complete_from)

    def _changed_since(self, key: str, number: int, complete_from: int) -> bool:
        last = self._last.get(key)
        if last is not None:
            return last > number
        return number < complete_from

    async def scan_back(self, store: Store) -> None:
        """Learn which conversations changed before the beginning, as far as there is room."""
        scanned = 0
        before = self._complete_from + 1
        while scanned < limits.BACK_SCAN_EVENTS_MAX and len(self._last) < self._keys_max:
            end = before
            found = await store.read(
                lambda tx, end=end: event_log.conversations_before(  # type: ignore[misc]
                    tx, end, limits.BACK_SCAN_EVENTS_PER_STEP
                )
            )
            for sequence, conversation_sid in found:
                before = sequence
                if conversation_sid and conversation_sid not in self._last:
                    self._last[conversation_sid] = sequence
                    self._last.move_to_end(conversation_sid, last=False)
            scanned += len(found)
            if len(found) < limits.BACK_SCAN_EVENTS_PER_STEP:
                before = 1
                break
        self._complete_from = min(self._complete_from, before - 1)


def changed_keys(event: Event) -> tuple[str, ...]:
    """What an event changes, as far as the event itself says."""
    if event.conversation_sid:
        return (event.conversation_sid,)
    return (event.subject_sid,)
