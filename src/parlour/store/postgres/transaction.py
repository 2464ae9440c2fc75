"""Transactions of the PostgreSQL engine: the same statements for reading and for writing.

A read transaction removes the row locks from statements (``dialect.for_reading``). A write
transaction keeps them, takes an advisory lock for each name, and reads each row of settings once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.store.dialect import for_reading
from parlour.store.postgres.event_gaps import visible_count
from parlour.store.read_only import ReadOnlyTransaction
from parlour.store.settings_cache import SETTINGS_LOCK, CachedSettings, SettingsCache
from parlour.store.write_transaction import APPEND_EVENT, SequenceGenerator, WriteTransactionBase
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from asyncpg import Connection

    from parlour.store.postgres.event_gaps import EventGaps
    from parlour.store.transaction import Row
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.origin import Origin

LOCK_NAME: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
NUMBERS_AFTER: Final = "SELECT sequence FROM event WHERE sequence > $1 ORDER BY sequence LIMIT $2"


class _PostgresTransaction:
    """Reading the event log up to its high-water mark (``event_gaps.py``)."""

    overlap_ms: Final = limits.STORE_TRANSACTION_MS_MAX

    def __init__(self, connection: Connection[Any], event_gaps: EventGaps) -> None:
        self._connection = connection
        self._event_gaps = event_gaps
        # The mark must be older than the snapshot, which the first statement takes.
        self._visible_through = event_gaps.visible_through

    def visible_count(self, after: int, numbers: list[int]) -> int:
        """Return how many of the events with these numbers, which follow ``after``, are safe.

        Starts a refresh of the mark if the rest is behind a gap.
        """
        count = visible_count(self._visible_through, after, numbers)
        if count and after <= self._visible_through:
            self._event_gaps.advance(numbers[count - 1])
        if count < len(numbers):
            self._event_gaps.request_refresh()
        return count

    async def visible_through(self) -> int:
        """Return the number up to which this snapshot has every event."""
        last = self._visible_through
        while True:  # Ends at a gap or at the end of the log.
            rows = await self._connection.fetch(NUMBERS_AFTER, last, limits.EVENTS_PER_BATCH_MAX)
            numbers = [row[0] for row in rows]
            count = self.visible_count(last, numbers)
            if count:
                last = numbers[count - 1]
            if count < limits.EVENTS_PER_BATCH_MAX:
                return last


class PostgresReadTransaction(ReadOnlyTransaction, _PostgresTransaction):
    """One snapshot."""

    def __init__(self, connection: Connection[Any], event_gaps: EventGaps, clock: Clock) -> None:
        super().__init__(connection, event_gaps)
        self._clock = clock

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row, or None."""
        row = await self._connection.fetchrow(for_reading(sql), *arguments)
        return None if row is None else tuple(row)

    async def one_cached(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row, or None; not cached, as another process may have changed it."""
        return await self.one(sql, *arguments)

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Return every row."""
        rows = await self._connection.fetch(for_reading(sql), *arguments)
        return [tuple(row) for row in rows]

    async def lock_name(self, *name: str) -> None:
        """Do nothing: a snapshot needs no lock."""


class PostgresSingleStatement(PostgresReadTransaction):
    """One statement without a transaction around it: saves the round trips of BEGIN and COMMIT."""

    _is_used = False

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row, or None."""
        self._use()
        return await super().one(sql, *arguments)

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Return every row."""
        self._use()
        return await super().all(sql, *arguments)

    def _use(self) -> None:
        assert not self._is_used, "a second statement would see another snapshot"
        self._is_used = True


class PostgresWriteTransaction(WriteTransactionBase, CachedSettings, _PostgresTransaction):
    """One attempt at one action, on a dedicated connection."""

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
        _PostgresTransaction.__init__(self, connection, event_gaps)
        WriteTransactionBase.__init__(self, random, sequences)
        self._begin_action(clock.now_ms(), origin, is_dry_run=is_dry_run)
        self._settings_cache = SettingsCache()

    @property
    def has_events(self) -> bool:
        """Return whether the action has emitted an event."""
        return self._has_emitted

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row, or None."""
        row = await self._connection.fetchrow(sql, *arguments)
        return None if row is None else tuple(row)

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Return every row."""
        return [tuple(row) for row in await self._connection.fetch(sql, *arguments)]

    async def run(self, sql: str, *arguments: object) -> int:
        """Change rows; return how many."""
        status = await self._connection.execute(sql, *arguments)
        return int(status.rpartition(" ")[2])

    async def lock_name(self, *name: str) -> None:
        """Take the advisory lock of a name; the server releases it with the transaction."""
        if name[0] == SETTINGS_LOCK:
            self._settings_cache.begin_change()
        await self._connection.execute(LOCK_NAME, "\n".join(name))

    async def _append_event(self, values: tuple[object, ...]) -> None:
        await self._connection.execute(APPEND_EVENT, *values)
