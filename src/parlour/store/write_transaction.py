"""What the write transactions of both engines share: events, dry runs and sequence numbers.

A dry run executes an action and rolls it back, to find out which events it would emit. Its events
are collected instead of written: a number that the event log assigns to an event that is then
rolled back is a gap, which readers on PostgreSQL have to wait for (``postgres/event_gaps.py``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from parlour.store.transaction import DryRun, EmittedEvent
from parlour.vocabulary.origin import SILENT, Origin

if TYPE_CHECKING:
    from parlour.vocabulary.clock import Random
    from parlour.vocabulary.scope import Scope

T = TypeVar("T")

APPEND_EVENT: Final = """
INSERT INTO event (account_sid, service_sid, conversation_sid, subject_sid, name, source,
                   client_identity, fires, date_ms, payload)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
LAST_EVENT_DATE: Final = "SELECT date_ms FROM event ORDER BY sequence DESC LIMIT 1"

_encode = msgspec.json.Encoder().encode


def _payload(payload: object, request_sid: str) -> str:
    """Return the JSON of an event, with the request that caused it as its last member."""
    text = _encode(payload).decode()
    if not request_sid:
        return text
    assert text[0] == "{", "a payload is an object"
    comma = "," if len(text) > len("{}") else ""
    return f'{text[:-1]}{comma}"request_sid":"{request_sid}"}}'


class SequenceGenerator:
    """Numbers in the order of creation: microseconds since 1970, unique within one process."""

    def __init__(self) -> None:
        self._last = 0

    def start_after(self, date_ms: int) -> None:
        """Continue above every number of a date: the clock may have been set back since then."""
        self._last = max(self._last, (date_ms + 1) * 1000)

    @property
    def last(self) -> int:
        """The last number; 0 before the first."""
        return self._last

    def restart(self, last: int = 0) -> None:
        """Follow the clock again, which was set back: no row has a number after ``last``."""
        self._last = last

    def next(self, now_ms: int) -> int:
        """Return the next number."""
        # Above the clock after a burst, and above the last one after the clock was set back.
        self._last = max(self._last + 1, now_ms * 1000)
        return self._last


class WriteTransactionBase(ABC):
    """The part of a write transaction that does not depend on the engine.

    A subclass calls ``_begin_action`` before each action and implements ``_append_event``.
    """

    def __init__(self, random: Random, sequences: SequenceGenerator) -> None:
        self.new_sid = random.sid
        self._sequences = sequences
        self._now = 0
        self._origin = SILENT
        self._has_emitted = False
        # Only a dry run collects its events.
        self._dry_run_events: list[EmittedEvent] | None = None

    def _begin_action(self, now_ms: int, origin: Origin, *, is_dry_run: bool) -> None:
        self._now = now_ms
        self._origin = origin
        self._has_emitted = False
        self._dry_run_events = [] if is_dry_run else None

    @property
    def now(self) -> int:
        """Return the start of this action in milliseconds since 1970-01-01 UTC."""
        return self._now

    @property
    def origin(self) -> Origin:
        """Return the origin of this change."""
        return self._origin

    def dry_run_result(self, result: T) -> DryRun[T]:
        """Return the result of a dry run with the events that it emitted."""
        assert self._dry_run_events is not None
        return DryRun(result, tuple(self._dry_run_events))

    async def emit(
        self,
        scope: Scope,
        name: str,
        *,
        conversation_sid: str = "",
        subject_sid: str,
        payload: object,
        origin: Origin | None = None,
    ) -> None:
        """Insert one event in this transaction.

        A dry run collects its events without inserting them, so it cannot read its own events.
        """
        by = origin or self._origin
        text = _payload(payload, self._origin.request_sid)
        if self._dry_run_events is not None:
            event = EmittedEvent(name, scope, conversation_sid, subject_sid, by, text)
            self._dry_run_events.append(event)
            return
        self._has_emitted = True
        values = (
            scope.account_sid,
            scope.service_sid,
            conversation_sid,
            subject_sid,
            name,
            by.source,
            by.client_identity,
            int(by.fires),
            self._now,
            text,
        )
        await self._append_event(values)

    @abstractmethod
    async def _append_event(self, values: tuple[object, ...]) -> None:
        """Run APPEND_EVENT with these values, now or before the commit."""

    def next_sequence(self) -> int:
        """Return the next number in the order of creation."""
        return self._sequences.next(self._now)
