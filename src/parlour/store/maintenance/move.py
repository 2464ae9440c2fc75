"""Moving a store from SQLite to PostgreSQL: every row is copied, then compared.

The source is locked, so it does not change. Rows are copied in the order of their rowids, in
batches. Each batch and the *progress* of its table (``store_move``) are written in one transaction
of the target. So a run that is interrupted or killed loses at most the batch in flight, and the
next run resumes after the recorded progress.

| state of the target | rows of ``store_move`` | next                                           |
|---------------------|------------------------|------------------------------------------------|
| empty               | no table               | copying: the table is created                  |
| copying             | progress of each table | copying, after an interruption; or compared    |
| compared            | the same               | moved: both sides have equal checksums         |
| moved               | table dropped          | a store like any other                         |
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import apsw
import asyncpg
import msgspec

from parlour.store.migrations import migrations
from parlour.store.postgres.connections import REFUSED, UNLIMITED, connect
from parlour.store.postgres.schema import migrate, no_connection
from parlour.vocabulary import limits
from parlour.vocabulary.crash_points import BATCH_MOVED, crash_point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asyncpg import Connection

TABLES: Final = """
SELECT name FROM sqlite_schema
 WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'migration'
 ORDER BY name
"""
COLUMNS: Final = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
NEXT_ROWS: Final = " WHERE rowid > ? ORDER BY rowid LIMIT ?"
NUMBERED: Final = "SELECT name, seq FROM sqlite_sequence"
ACCOUNTS: Final = "SELECT sid FROM account ORDER BY sid"
APPLIED: Final = "SELECT name FROM migration ORDER BY name"

MAKE_PROGRESS: Final = """
CREATE TABLE IF NOT EXISTS store_move (
    name TEXT NOT NULL PRIMARY KEY,
    last_row BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    source TEXT NOT NULL
)
"""
READ_PROGRESS: Final = "SELECT name, last_row, rows, source FROM store_move"
SAVE_PROGRESS: Final = """
INSERT INTO store_move (name, last_row, rows, source) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET last_row = $2, rows = $3
"""
HAS_PROGRESS: Final = "SELECT to_regclass('store_move') IS NOT NULL"
HAS_FORCED_POLICY: Final = "SELECT relforcerowsecurity FROM pg_class WHERE oid = $1::text::regclass"
REMOVE_PROGRESS: Final = "DROP TABLE store_move"
CONTINUE_NUMBERS: Final = "SELECT setval(pg_get_serial_sequence($1, 'sequence'), $2)"
# A crash of the target loses a batch together with its progress: the next run copies it again.
COMMIT_LATER: Final = "SET synchronous_commit = off"
COMMIT_NOW: Final = "SET synchronous_commit = on"

_MODULUS: Final = 1 << 128


class MoveError(Exception):
    """The store cannot be moved; the text is the reason and the remedy."""


class MovedTable(NamedTuple):
    """One table and its columns, in the order of the source."""

    name: str
    columns: tuple[str, ...]


class TableContents(NamedTuple):
    """The number of rows of a table, and the sum of their checksums, in any order."""

    rows: int
    checksum: int

    def __str__(self) -> str:
        """Return both for messages."""
        return f"{self.rows} rows, {self.checksum:032x}"


class ComparedTable(NamedTuple):
    """One table with equal contents on both sides."""

    table: str
    contents: TableContents


class _TableProgress(NamedTuple):
    """The progress of one table."""

    last_row: int
    rows: int


async def move_store(path: Path, url: str, report: Callable[[str], None]) -> list[ComparedTable]:
    """Copy everything, or resume that, and compare. Raises ``MoveError``."""
    source = _SqliteSource(path)
    try:
        target = await _PostgresTarget.connected(url)
        try:
            return await _Move(source, target, report).run()
        finally:
            await target.close()
    except asyncpg.PostgresError as error:
        raise MoveError(f"the database refuses: {error}") from error
    finally:
        source.close()


class _Move:
    """One run of the move."""

    def __init__(
        self, source: _SqliteSource, target: _PostgresTarget, report: Callable[[str], None]
    ) -> None:
        self._source, self._target, self._report = source, target, report

    async def run(self) -> list[ComparedTable]:
        """Run all steps; return the tables as compared."""
        await self._target.prepare(self._source.tables)
        progress = await self._target.begin(self._source.tables, self._source.identity)
        for table in self._source.tables:
            await self._copy(table, progress.get(table.name, _TableProgress(0, 0)))
        # After all rows: COPY with explicit numbers does not advance a sequence.
        await self._target.continue_numbers(self._source.numbered)
        moved = [await self._compared(table) for table in self._source.tables]
        await self._target.finish()
        return moved

    async def _copy(self, table: MovedTable, progress: _TableProgress) -> None:
        in_all = self._source.count(table)
        while batch := self._source.batch(table, progress.last_row):
            rows = [row[1:] for row in batch]
            progress = _TableProgress(batch[-1][0], progress.rows + len(batch))
            await self._target.add(table, rows, progress, self._source.identity)
            # Here a crash must lose nothing: the batch and its progress are committed.
            crash_point(BATCH_MOVED)
            self._report(f"{table.name}: {progress.rows} of {in_all} rows copied")

    async def _compared(self, table: MovedTable) -> ComparedTable:
        """Return the contents of a table. Raises MoveError unless they are equal on both sides."""
        self._report(f"{table.name}: comparing")
        here, there = self._source.contents(table), await self._target.contents(table)
        if here != there:
            raise MoveError(
                f"{table.name} is not the same on both sides: {here} here, {there} there. "
                "Was the embedded database used in between? Empty the target and begin again."
            )
        return ComparedTable(table.name, here)


class _SqliteSource:
    """The SQLite database, locked against other processes."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise MoveError(f"there is no database {path.absolute()}")
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            # Fails if a server has the file open: it holds a shared lock in WAL mode.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("BEGIN IMMEDIATE")
            self._check_version(path)
        except apsw.BusyError as error:
            self._connection.close()
            raise MoveError(f"{path} is in use: stop the server first") from error
        except apsw.Error as error:
            self._connection.close()
            raise MoveError(f"{path} cannot be read: {error}") from error
        self.tables = [self._table(name) for (name,) in self._all(TABLES)]
        self.numbered: dict[str, int] = dict(self._all(NUMBERED))
        # Identifies the source across runs.
        accounts = "".join(sid for (sid,) in self._all(ACCOUNTS))
        self.identity = hashlib.sha256(accounts.encode()).hexdigest()

    def _all(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, arguments).fetchall()

    def _check_version(self, path: Path) -> None:
        expected = [each.name for each in migrations()]
        if [name for (name,) in self._all(APPLIED)] != expected:
            self.close()
            raise MoveError(
                f"{path} is of another version: start this version's server on it once, and stop it"
            )

    def _table(self, name: str) -> MovedTable:
        return MovedTable(name, tuple(column for (column,) in self._all(COLUMNS, name)))

    def count(self, table: MovedTable) -> int:
        """Return the number of rows."""
        # tidy: no-sql-building - the name comes from the schema
        found = self._all(f"SELECT count(*) FROM {table.name}")  # noqa: S608 - as above.
        return int(found[0][0])

    def batch(self, table: MovedTable, after: int) -> list[tuple[Any, ...]]:
        """Return the next rows, each after its rowid."""
        sql = _selected(table, "rowid, ") + NEXT_ROWS
        return self._all(sql, after, limits.MOVED_ROWS_PER_STEP_MAX)

    def contents(self, table: MovedTable) -> TableContents:
        """Return count and checksum of the rows."""
        return _contents(self._connection.execute(_selected(table)))

    def close(self) -> None:
        """Unlock the file, which is unchanged."""
        self._connection.close()


class _PostgresTarget:
    """The PostgreSQL database."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    @classmethod
    async def connected(cls, url: str) -> _PostgresTarget:
        """Connect to the database of a URL."""
        try:
            return cls(await connect(url, **UNLIMITED))
        except REFUSED as error:
            raise MoveError(str(no_connection(url, error))) from error

    async def prepare(self, tables: list[MovedTable]) -> None:
        """Apply migrations, and check that the tables have the same columns."""
        await migrate(self._connection)
        for table in tables:
            # tidy: no-sql-building - the name comes from the schema
            sql = f"SELECT * FROM {table.name} LIMIT 0"  # noqa: S608 - as above.
            prepared = await self._connection.prepare(sql)
            columns = {attribute.name for attribute in prepared.get_attributes()}
            if columns != set(table.columns):
                raise MoveError(f"{table.name} has other columns in the target")

    async def begin(self, tables: list[MovedTable], identity: str) -> dict[str, _TableProgress]:
        """Return the progress of an earlier run of this source; otherwise require empty tables."""
        if not await self._connection.fetchval(HAS_PROGRESS):
            await self._must_be_empty(tables)
            await self._connection.execute(MAKE_PROGRESS)
        found = await self._connection.fetch(READ_PROGRESS)
        if any(source != identity for *_, source in found):
            raise MoveError("the target holds part of another store that was being moved")
        await self._connection.execute(COMMIT_LATER)
        return {name: _TableProgress(last_row, rows) for name, last_row, rows, _ in found}

    async def _must_be_empty(self, tables: list[MovedTable]) -> None:
        for table in tables:
            # tidy: no-sql-building - the name comes from the schema
            sql = f"SELECT EXISTS (SELECT 1 FROM {table.name})"  # noqa: S608 - as above.
            if await self._connection.fetchval(sql):
                raise MoveError(f"the target is not empty: there are rows in {table.name}")

    async def add(
        self,
        table: MovedTable,
        rows: list[tuple[Any, ...]],
        progress: _TableProgress,
        identity: str,
    ) -> None:
        """Insert a batch and save its progress, in one transaction."""
        async with self._connection.transaction():
            # COPY is rejected under row-level security. Its owner may switch FORCE off; no other
            # transaction sees that, since it is on again at the commit.
            is_forced = await self._connection.fetchval(HAS_FORCED_POLICY, table.name)
            if is_forced:
                await self._set_row_security(table, "NO FORCE")
            await self._connection.copy_records_to_table(
                table.name, records=rows, columns=table.columns
            )
            if is_forced:
                await self._set_row_security(table, "FORCE")
            await self._connection.execute(SAVE_PROGRESS, table.name, *progress, identity)

    async def _set_row_security(self, table: MovedTable, word: str) -> None:
        await self._connection.execute(f"ALTER TABLE {table.name} {word} ROW LEVEL SECURITY")

    async def continue_numbers(self, numbered: dict[str, int]) -> None:
        """Set the sequences to the last numbers of the source, so that none is assigned twice."""
        for name, last in numbered.items():
            if last > 0:
                await self._connection.execute(CONTINUE_NUMBERS, name, last)

    async def contents(self, table: MovedTable) -> TableContents:
        """Return count and checksum of the rows, read in batches in one transaction."""
        found = TableContents(0, 0)
        async with self._connection.transaction(readonly=True):
            cursor = await self._connection.cursor(_selected(table))
            while rows := await cursor.fetch(limits.MOVED_ROWS_PER_STEP_MAX):
                part = _contents(tuple(row) for row in rows)
                found = TableContents(
                    found.rows + part.rows, (found.checksum + part.checksum) % _MODULUS
                )
        return found

    async def finish(self) -> None:
        """Drop the progress with a synchronous commit, and analyze the tables."""
        await self._connection.execute(COMMIT_NOW)
        await self._connection.execute(REMOVE_PROGRESS)
        await self._connection.execute("ANALYZE")  # Otherwise the first plans assume empty tables.

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


def _selected(table: MovedTable, before: str = "") -> str:
    """Return the statement that reads a table; its names come from the schema only."""
    return f"SELECT {before}{', '.join(table.columns)} FROM {table.name}"  # noqa: S608 - see above.


def _contents(rows: Iterator[tuple[Any, ...]]) -> TableContents:
    count = checksum = 0
    encode = msgspec.json.Encoder().encode
    for row in rows:
        count += 1
        checksum += int.from_bytes(hashlib.sha256(encode(row)).digest()[:16])
    return TableContents(count, checksum % _MODULUS)
