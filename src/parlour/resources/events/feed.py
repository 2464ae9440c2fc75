"""Reading the feed: positions in the log, and the events of an account from a position on.

A position is a number of the event log, and a cursor outside (protocol/event_cursors.py). One read
covers EVENT_NUMBERS_READ_MAX numbers of the log, whichever account they are of, so it may have
no events although more follow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from parlour.resources.events import store as event_store
from parlour.store import event_log
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.protocol.event_cursors import EventCursors
    from parlour.resources.events.store import EventFilters
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.event import Event
    from parlour.vocabulary.scope import Scope

# No number that the store cannot compare.
_NUMBER: Final = re.compile(r"[0-9]{1,18}\Z")
START: Final = "start"
NOW: Final = "now"
_FIRST_RANGE: Final = 4


class FeedEvent(msgspec.Struct, frozen=True):
    """One event as the feed shows it."""

    cursor: str
    event: Event
    shows_sequence: bool

    @property
    def sid(self) -> str:
        """Return the SID of its subject."""
        return self.event.subject_sid


class FeedPage(msgspec.Struct, frozen=True):
    """Events in order, and the number from which the next read continues."""

    events: list[FeedEvent]
    position: int
    has_more: bool
    """Whether the read ended before the end of the log."""


class Feed:
    """The feed of one account."""

    def __init__(self, scope: Scope, cursors: EventCursors, *, is_test: bool) -> None:
        """``is_test``: numbers of the log are shown, and accepted in place of cursors."""
        self._scope = scope
        self._cursors = cursors
        self._is_test = is_test

    def cursor(self, sequence: int) -> str:
        """Return the cursor of an event of the account, or of a number relative to one."""
        return self._cursors.write(self._scope.account_sid, sequence)

    def end_cursor(self, sequence: int) -> str:
        """Return a new cursor of the end of the log."""
        return self._cursors.write_end(self._scope.account_sid, sequence)

    async def position(self, tx: Transaction, text: str, name: str) -> int:
        """Return the number of a cursor, or of `START` or `NOW`.

        Raises 20001, with the name of the parameter, for any other text, and 20410 for a cursor
        whose following events may be deleted.
        """
        if text == NOW:
            return await event_log.visible_through(tx)
        oldest = await event_log.oldest_sequence(tx)
        if text == START:
            return max(oldest - 1, 0)
        sequence = self._cursors.parse(self._scope.account_sid, text)
        if sequence is None and self._is_test and _NUMBER.match(text):
            sequence = int(text)
        if sequence is None:
            raise ApiError.invalid(name)
        self._raise_if_expired(sequence, oldest)
        return sequence

    async def first_position(
        self, tx: Transaction, filters: EventFilters, default: str = START
    ) -> int:
        """Return the number before the events since a date; without one, of `START` or `NOW`."""
        if not filters.since_ms:
            return await self.position(tx, default, "After")
        # Events of concurrent transactions may follow with earlier dates.
        return await event_log.sequence_before(tx, filters.since_ms - tx.overlap_ms)

    def _raise_if_expired(self, sequence: int, oldest: int) -> None:
        # Retention leaves no hole, so that before the oldest event nothing is left. 0 is the
        # position before the first event of all. In test mode there is no retention: a reset of
        # another account may have deleted the oldest events.
        if 0 < sequence < oldest - 1 and not self._is_test:
            first = self.cursor(oldest - 1)
            raise ApiError(
                20410,
                f"Events after this cursor are deleted. The oldest that are left follow {first}.",
                members={"oldest": first},
            )

    async def read(
        self, tx: Transaction, filters: EventFilters, after: int, count: int
    ) -> FeedPage:
        """Return at most ``count`` events after a number. Raises 20410 if some were deleted."""
        self._raise_if_expired(after, await event_log.oldest_sequence(tx))
        end = await event_log.visible_through(tx)
        through = min(end, after + limits.EVENT_NUMBERS_READ_MAX)
        found = await event_store.list_events(
            tx, self._scope, filters, after=after, through=through, count=count
        )
        if len(found) == count:
            through = found[-1].sequence
        events = [FeedEvent(self.cursor(each.sequence), each, self._is_test) for each in found]
        # After the clock or the log was set back, a position may be above the end.
        return FeedPage(events, max(through, after), through < end)

    async def read_back(
        self, tx: Transaction, filters: EventFilters, before: int | None, count: int
    ) -> FeedPage:
        """Return at most ``count`` events below a number (None: the end), newest first.

        The position of the page is the number below which the next read continues.
        """
        first = max(await event_log.oldest_sequence(tx), 1)
        top = await event_log.visible_through(tx)
        if before is not None:
            top = min(top, before - 1)
        floor = max(first - 1, top - limits.EVENT_NUMBERS_READ_MAX)
        found: list[Event] = []
        # Ranges that grow: most of the newest numbers are of the account on a small server.
        width = _FIRST_RANGE * count
        while top > floor and len(found) <= count:
            low = max(floor, top - width)
            part = await event_store.list_events(
                tx, self._scope, filters, after=low, through=top, count=width
            )
            found += reversed(part)
            top, width = low, 2 * width
        shown = found[:count]
        position = shown[-1].sequence if len(found) > count else top + 1
        events = [FeedEvent(self.cursor(each.sequence), each, self._is_test) for each in shown]
        return FeedPage(events, position, position > first)
