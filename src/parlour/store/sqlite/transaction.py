"""Transactions of the embedded engine: the same statements for reading and for writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from parlour.store.dialect import for_sqlite
from parlour.store.read_only import ReadOnly
from parlour.store.transaction import DryRun, EmittedEvent, Row
from parlour.vocabulary import limits
from parlour.vocabulary.origin import SILENT, Origin

if TYPE_CHECKING:
    import apsw

    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.scope import Scope

T = TypeVar("T")

APPEND = """
INSERT INTO event (account_sid, service_sid, conversation_sid, subject_sid, name, source,
                   client_identity, fires, date_ms, payload)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
"""
LAST_EVENT = "SELECT sequence FROM event ORDER BY sequence DESC LIMIT 1"
LAST_EVENT_DATE = "SELECT date_ms FROM event ORDER BY sequence DESC LIMIT 1"

_encode = msgspec.json.Encoder().encode


class SettingsCache:
    """Rows of settings, remembered until one of them is about to change.

    Nearly every call needs some, and they hardly ever change. From the moment that an action holds
    their name until its group is on disk nothing is remembered, so that neither a reader sees what
    may yet be undone nor a writer what was before. There is one process: nobody else changes them.
    """

    def __init__(self) -> None:
        self.rows: dict[tuple[str, tuple[object, ...]], Row | None] = {}
        self._are_changing = False

    def begin_change(self) -> None:
        """An action is about to change one of them."""
        self.rows.clear()
        self._are_changing = True

    def end_change(self) -> None:
        """The group is on disk, or it has failed."""
        self._are_changing = False

    def store(self, key: tuple[str, tuple[object, ...]], row: Row | None) -> None:
        """Remember a row that was read, unless one is about to change."""
        if not self._are_changing and limits.SETTINGS_CACHED_MAX:
            if len(self.rows) >= limits.SETTINGS_CACHED_MAX:
                self.rows.clear()
            self.rows[key] = row


class _SqliteTransaction:
    """What reading and writing have in common."""

    overlap_ms: Final = 0

    def __init__(self, connection: apsw.Connection, settings_cache: SettingsCache) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._settings_cache = settings_cache

    async def one_cached(self, sql: str, *arguments: object) -> Row | None:
        """The first row of a setting, or None."""
        # Every call needs several: no function is called for a row that is remembered.
        key = (sql, arguments)
        if key in self._settings_cache.rows:
            return self._settings_cache.rows[key]
        row = await self.one(sql, *arguments)
        self._settings_cache.store(key, row)
        return row

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """The first row, or None."""
        rows = self._cursor.execute(for_sqlite(sql), arguments).fetchall()
        return rows[0] if rows else None

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Every row."""
        return self._cursor.execute(for_sqlite(sql), arguments).fetchall()

    async def lock_name(self, *name: str) -> None:
        """There is one writer, who holds every name; but settings are no longer as remembered."""
        if name[0] == "settings":
            self._settings_cache.begin_change()

    def visible_count(self, after: int, numbers: list[int]) -> int:
        """All of them: numbers are given in the order of commits."""
        assert not numbers or numbers[0] > after
        return len(numbers)

    async def visible_through(self) -> int:
        """The number of the newest event; 0 before the first."""
        # To its end: a statement that stands open would hold this snapshot for what comes next.
        rows = await self.all(LAST_EVENT)
        return rows[0][0] if rows else 0


class SqliteReadTransaction(ReadOnly, _SqliteTransaction):
    """One snapshot. Writing through it is a bug."""

    def __init__(
        self, connection: apsw.Connection, clock: Clock, settings_cache: SettingsCache
    ) -> None:
        super().__init__(connection, settings_cache)
        self._clock = clock

    @property
    def now(self) -> int:
        """The time, in milliseconds since 1970-01-01 UTC."""
        return self._clock.now_ms()

    @property
    def origin(self) -> Origin:
        """Nobody changes anything here."""
        return SILENT


class SqliteWriteTransaction(_SqliteTransaction):
    """The one writer's transaction, opened anew for each action of a group."""

    def __init__(
        self,
        connection: apsw.Connection,
        clock: Clock,
        random: Random,
        settings_cache: SettingsCache,
    ) -> None:
        super().__init__(connection, settings_cache)
        self._clock = clock
        self.new_sid = random.sid
        self._now = 0
        self._origin = SILENT
        # Events of a rehearsal, which nothing else asks for.
        self._emitted: list[EmittedEvent] | None = None
        self._has_emitted = False
        self.has_events = False
        # Numbers must grow over a restart even if the clock was set back meanwhile.
        # To the end of the rows: a statement that is not finished keeps its snapshot, and once
        # another process has written, no transaction of this connection could begin any more.
        last: list[Any] = self._cursor.execute(LAST_EVENT_DATE).fetchall()
        self._sequence = (last[0][0] + 1) * 1000 if last else 0

    @property
    def now(self) -> int:
        """The time at which this action began, in milliseconds since 1970-01-01 UTC."""
        return self._now

    @property
    def origin(self) -> Origin:
        """Who caused this change."""
        return self._origin

    def open_group(self) -> None:
        """Begin a new group of actions."""
        self.has_events = False

    def open_action(self, origin: Origin, *, dry_run: bool) -> None:
        """Begin one action."""
        self._now = self._clock.now_ms()
        self._origin = origin
        self._has_emitted = False
        self._emitted = [] if dry_run else None

    def keep_action(self) -> None:
        """The action stays: its events will be news once the group is committed."""
        if self._has_emitted:
            self.has_events = True

    def dry_run_result(self, result: T) -> DryRun[T]:
        """What the action gave, and which events it would have written."""
        assert self._emitted is not None
        return DryRun(result, tuple(self._emitted))

    async def run(self, sql: str, *arguments: object) -> int:
        """Change rows, and say how many."""
        self._cursor.execute(for_sqlite(sql), arguments)
        return self._connection.changes()

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
        self._has_emitted = True
        if self._emitted is not None:
            self._emitted.append(EmittedEvent(name, scope, conversation_sid, subject_sid, by, text))
        self._cursor.execute(
            APPEND,
            (
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
            ),
        )

    def next_sequence(self) -> int:
        """The next number in the order of creation: microseconds, and never the same twice."""
        self._sequence = max(self._sequence + 1, self._now * 1000)
        return self._sequence
