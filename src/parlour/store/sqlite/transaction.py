"""Transactions of the SQLite engine: the same statements for reading and for writing.

The one writer makes most of the contract of ``Transaction`` trivial: it holds every lock by
definition, and it assigns event numbers in the order of commits, so every number is visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from parlour.store.dialect import for_sqlite
from parlour.store.read_only import ReadOnlyTransaction
from parlour.store.settings_cache import SETTINGS_LOCK, CachedSettings
from parlour.store.transaction import in_transaction
from parlour.store.write_transaction import (
    APPEND_EVENT,
    LAST_EVENT_DATE,
    SequenceGenerator,
    WriteTransactionBase,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable

    import apsw

    from parlour.store.settings_cache import SettingsCache
    from parlour.store.transaction import Row
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.origin import Origin

T = TypeVar("T")

APPEND: Final = for_sqlite(APPEND_EVENT)
LAST_EVENT: Final = "SELECT sequence FROM event ORDER BY sequence DESC LIMIT 1"


class _SqliteTransaction(CachedSettings):
    """Statements on one connection."""

    overlap_ms: Final = 0

    def __init__(self, connection: apsw.Connection, settings_cache: SettingsCache) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._settings_cache = settings_cache

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row, or None."""
        # fetchall() finishes the statement: an open one would keep its snapshot.
        rows = self._cursor.execute(for_sqlite(sql), arguments).fetchall()
        return rows[0] if rows else None

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Return every row."""
        return self._cursor.execute(for_sqlite(sql), arguments).fetchall()

    async def lock_name(self, *name: str) -> None:
        """Invalidate the settings cache if the name is of settings; the writer needs no lock."""
        if name[0] == SETTINGS_LOCK:
            self._settings_cache.begin_change()

    def visible_count(self, after: int, numbers: list[int]) -> int:
        """Return the number of events: all are visible, numbers follow the order of commits."""
        assert not numbers or numbers[0] > after
        return len(numbers)

    async def visible_through(self) -> int:
        """Return the number of the newest event; 0 before the first."""
        row = await self.one(LAST_EVENT)
        return row[0] if row else 0


class SqliteReadTransaction(ReadOnlyTransaction, _SqliteTransaction):
    """One snapshot."""

    def __init__(
        self, connection: apsw.Connection, clock: Clock, settings_cache: SettingsCache
    ) -> None:
        super().__init__(connection, settings_cache)
        self._clock = clock


class SqliteWriteTransaction(WriteTransactionBase, _SqliteTransaction):
    """The transaction of the one writer, reset for each action of a group."""

    def __init__(
        self,
        connection: apsw.Connection,
        clock: Clock,
        random: Random,
        settings_cache: SettingsCache,
    ) -> None:
        _SqliteTransaction.__init__(self, connection, settings_cache)
        sequences = SequenceGenerator()
        WriteTransactionBase.__init__(self, random, sequences)
        self._clock = clock
        self.has_events = False
        self.sequences = sequences
        # fetchall() finishes the statement: an open one would keep its snapshot, and once another
        # process had written, no transaction of this connection could begin any more.
        last: list[Any] = self._cursor.execute(LAST_EVENT_DATE).fetchall()
        if last:
            sequences.start_after(last[0][0])

    def begin_group(self) -> None:
        """Start a group: no action of it has emitted an event."""
        self.has_events = False

    def begin_action(self, origin: Origin, *, is_dry_run: bool) -> None:
        """Start one action."""
        self._begin_action(self._clock.now_ms(), origin, is_dry_run=is_dry_run)

    def finish_action(self) -> None:
        """Record whether an action that is committed with its group has emitted events."""
        if self._has_emitted:
            self.has_events = True

    async def run(self, sql: str, *arguments: object) -> int:
        """Change rows; return how many."""
        self._cursor.execute(for_sqlite(sql), arguments)
        return self._connection.changes()

    async def _append_event(self, values: tuple[object, ...]) -> None:
        self._cursor.execute(APPEND, values)


def drive(action: Awaitable[T]) -> T:
    """Run a coroutine that awaits only its transaction, without the event loop."""
    coroutine: Any = action
    outside = in_transaction.set(True)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        in_transaction.reset(outside)
    coroutine.close()
    raise AssertionError("an action awaited something other than its transaction")
