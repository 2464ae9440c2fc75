"""Transactions on PostgreSQL: the same statements for reading and for writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from parlour.store.dialect import for_reading
from parlour.store.postgres.event_gaps import visible_count
from parlour.store.read_only import ReadOnly
from parlour.store.transaction import DryRun, EmittedEvent, Row
from parlour.vocabulary import limits
from parlour.vocabulary.origin import SILENT, Origin

if TYPE_CHECKING:
    from asyncpg import Connection

    from parlour.store.postgres.event_gaps import EventGaps
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.scope import Scope

T = TypeVar("T")
CachedRows = dict[tuple[str, tuple[object, ...]], Row | None]
"""Rows of settings by statement and arguments."""

APPEND: Final = """
INSERT INTO event (account_sid, service_sid, conversation_sid, subject_sid, name, source,
                   client_identity, fires, date_ms, payload)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
LOCK_NAME: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
NUMBERS_AFTER: Final = "SELECT sequence FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2"

_encode = msgspec.json.Encoder().encode


class SequenceGenerator:
    """Numbers in the order of creation: microseconds, and never the same twice in one process."""

    def __init__(self) -> None:
        self._last = 0

    def start_after(self, date_ms: int) -> None:
        """Go on above everything up to a date: the clock may have been set back."""
        self._last = max(self._last, (date_ms + 1) * 1000)

    def next(self, now_ms: int) -> int:
        """One more."""
        self._last = max(self._last + 1, now_ms * 1000)
        return self._last


class _PostgresTransaction:
    """What reading and writing have in common."""

    overlap_ms: Final = limits.STORE_TRANSACTION_MS_MAX

    def __init__(self, connection: Connection[Any], event_gaps: EventGaps) -> None:
        self._connection = connection
        self._event_gaps = event_gaps
        self._visible_through = (
            event_gaps.visible_through
        )  # Of before the snapshot, which begins with a statement.

    def visible_count(self, after: int, numbers: list[int]) -> int:
        """How many of the events with these numbers, which follow ``after``, may be passed."""
        count = visible_count(self._visible_through, after, numbers)
        if count and after <= self._visible_through:
            self._event_gaps.advance(numbers[count - 1])
        if count < len(numbers):
            self._event_gaps.request_refresh()
        return count

    async def visible_through(self) -> int:
        """The number up to which nothing can be missing in this snapshot."""
        last = self._visible_through
        while True:  # Ends at a gap or at the end of the log.
            rows = await self._connection.fetch(NUMBERS_AFTER, last, limits.EVENTS_PER_BATCH_MAX)
            numbers = [row[0] for row in rows]
            count = self.visible_count(last, numbers)
            if count:
                last = numbers[count - 1]
            if count < limits.EVENTS_PER_BATCH_MAX:
                return last


class PostgresReadTransaction(ReadOnly, _PostgresTransaction):
    """One snapshot. Writing through it is a bug."""

    def __init__(self, connection: Connection[Any], event_gaps: EventGaps, clock: Clock) -> None:
        super().__init__(connection, event_gaps)
        self._clock = clock

    @property
    def now(self) -> int:
        """The time, in milliseconds since 1970-01-01 UTC."""
        return self._clock.now_ms()

    @property
    def origin(self) -> Origin:
        """Nobody changes anything here."""
        return SILENT

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """The first row, or None."""
        row = await self._connection.fetchrow(for_reading(sql), *arguments)
        return None if row is None else tuple(row)

    async def one_cached(self, sql: str, *arguments: object) -> Row | None:
        """As ``one``: another process may have changed it."""
        return await self.one(sql, *arguments)

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Every row."""
        rows = await self._connection.fetch(for_reading(sql), *arguments)
        return [tuple(row) for row in rows]

    async def lock_name(self, *name: str) -> None:
        """Nothing to do: nobody waits for one who only reads."""


class PostgresSingleStatement(PostgresReadTransaction):
    """One statement without a transaction around it: two round trips less."""

    _is_asked = False

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """The first row, or None."""
        self._ask()
        return await super().one(sql, *arguments)

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Every row."""
        self._ask()
        return await super().all(sql, *arguments)

    def _ask(self) -> None:
        assert not self._is_asked, "a second statement would see another snapshot"
        self._is_asked = True


class PostgresWriteTransaction(_PostgresTransaction):
    """One attempt at one action, on a connection of its own."""

    def __init__(
        self,
        connection: Connection[Any],
        event_gaps: EventGaps,
        sequences: SequenceGenerator,
        *,
        clock: Clock,
        random: Random,
        origin: Origin,
        is_dry_run: bool,
    ) -> None:
        super().__init__(connection, event_gaps)
        self.new_sid = random.sid
        self._sequences = sequences
        self._now = clock.now_ms()
        self._origin = origin
        self._is_dry_run = is_dry_run
        self._emitted: list[EmittedEvent] = []
        self._cached_rows: CachedRows | None = {}

    @property
    def now(self) -> int:
        """The time at which this attempt began, in milliseconds since 1970-01-01 UTC."""
        return self._now

    @property
    def origin(self) -> Origin:
        """Who caused this change."""
        return self._origin

    @property
    def has_events(self) -> bool:
        """Whether the action told of anything."""
        return bool(self._emitted)

    def dry_run_result(self, result: T) -> DryRun[T]:
        """What the action gave, and which events it would have written."""
        return DryRun(result, tuple(self._emitted))

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """The first row, or None."""
        row = await self._connection.fetchrow(sql, *arguments)
        return None if row is None else tuple(row)

    async def one_cached(self, sql: str, *arguments: object) -> Row | None:
        """As ``one``; read once, unless this very transaction changes settings."""
        if self._cached_rows is None:
            return await self.one(sql, *arguments)
        key = (sql, arguments)
        if key not in self._cached_rows:
            self._cached_rows[key] = await self.one(sql, *arguments)
        return self._cached_rows[key]

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Every row."""
        return [tuple(row) for row in await self._connection.fetch(sql, *arguments)]

    async def run(self, sql: str, *arguments: object) -> int:
        """Change rows, and say how many."""
        status = await self._connection.execute(sql, *arguments)
        return int(status.rpartition(" ")[2])

    async def lock_name(self, *name: str) -> None:
        """Wait until no other transaction holds this name, and hold it until the end."""
        if name[0] == "settings":
            self._cached_rows = None
        await self._connection.execute(LOCK_NAME, "\n".join(name))

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
        """Write one event in this transaction."""
        by = origin or self._origin
        text = _encode(payload).decode()
        self._emitted.append(EmittedEvent(name, scope, conversation_sid, subject_sid, by, text))
        if self._is_dry_run:
            return  # A number that is taken for nothing is a gap that readers have to settle.
        await self._append(
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

    async def _append(self, *values: object) -> None:
        await self._connection.execute(APPEND, *values)

    def next_sequence(self) -> int:
        """The next number in the order of creation."""
        return self._sequences.next(self._now)
