"""Moving up: everything in the embedded database, copied into PostgreSQL and compared there.

Nobody else has the embedded database open meanwhile, so it stands still. Rows go in the order in
which it keeps them, a batch at a time; each batch and the note of how far it got are one
transaction of the target. So an interruption, be it a kill, loses at most the batch that was on
its way, and the next run goes on behind the last note. When all is copied, both sides are read
once more: the number of rows and a checksum over their values must be the same for each table.
Only then is the note removed, and the target is a store like any other.
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
KNOWN: Final = "SELECT name FROM migration ORDER BY name"

MAKE_NOTES: Final = """
CREATE TABLE IF NOT EXISTS store_move (
    name TEXT NOT NULL PRIMARY KEY,
    last_row BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    source TEXT NOT NULL
)
"""
NOTES: Final = "SELECT name, last_row, rows, source FROM store_move"
NOTE: Final = """
INSERT INTO store_move (name, last_row, rows, source) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET last_row = $2, rows = $3
"""
HAS_NOTES: Final = "SELECT to_regclass('store_move') IS NOT NULL"
IS_WALLED: Final = "SELECT relforcerowsecurity FROM pg_class WHERE oid = $1::text::regclass"
REMOVE_NOTES: Final = "DROP TABLE store_move"
CONTINUE_NUMBERS: Final = "SELECT setval(pg_get_serial_sequence($1, 'sequence'), $2)"
# A crash of the target takes a batch and its note alike: the next run copies them again.
COMMIT_LATER: Final = "SET synchronous_commit = off"
COMMIT_NOW: Final = "SET synchronous_commit = on"

_MODULUS: Final = 1 << 128


class MoveError(Exception):
    """The store cannot be moved; the text says why, and what to do."""


class MovedTable(NamedTuple):
    """One table and its columns, in the order of the source."""

    name: str
    columns: tuple[str, ...]


class TableContents(NamedTuple):
    """How many rows a table has, and the sum of their checksums, whatever their order."""

    rows: int
    checksum: int

    def __str__(self) -> str:
        """The number and the checksum, as people compare them."""
        return f"{self.rows} rows, {self.checksum:032x}"


class ComparedTable(NamedTuple):
    """One table that is the same on both sides."""

    table: str
    contents: TableContents


class _Note(NamedTuple):
    """How far a table got."""

    last_row: int
    rows: int


async def move_store(path: Path, url: str, tell: Callable[[str], None]) -> list[ComparedTable]:
    """Copy everything, or go on with it, and compare. Raises ``MoveError``."""
    source = _SqliteSource(path)
    try:
        target = await _PostgresTarget.connected(url)
        try:
            return await _Move(source, target, tell).run()
        finally:
            await target.close()
    except asyncpg.PostgresError as error:
        raise MoveError(f"the database refuses: {error}") from error
    finally:
        source.close()


class _Move:
    """One run."""

    def __init__(
        self, source: _SqliteSource, target: _PostgresTarget, tell: Callable[[str], None]
    ) -> None:
        self._source, self._target, self._tell = source, target, tell

    async def run(self) -> list[ComparedTable]:
        """Everything, in order."""
        await self._target.prepare(self._source.tables)
        notes = await self._target.begin(self._source.tables, self._source.identity)
        for table in self._source.tables:
            await self._copy(table, notes.get(table.name, _Note(0, 0)))
        await self._target.continue_numbers(self._source.numbered)
        moved = [await self._compared(table) for table in self._source.tables]
        await self._target.finish()
        return moved

    async def _copy(self, table: MovedTable, note: _Note) -> None:
        in_all = self._source.count(table)
        while batch := self._source.batch(table, note.last_row):
            rows = [row[1:] for row in batch]
            note = _Note(batch[-1][0], note.rows + len(batch))
            await self._target.add(table, rows, note, self._source.identity)
            crash_point(BATCH_MOVED)
            self._tell(f"{table.name}: {note.rows} of {in_all} rows copied")

    async def _compared(self, table: MovedTable) -> ComparedTable:
        """The table, once both sides are the same."""
        self._tell(f"{table.name}: comparing")
        here, there = self._source.contents(table), await self._target.contents(table)
        if here != there:
            raise MoveError(
                f"{table.name} is not the same on both sides: {here} here, {there} there. "
                "Was the embedded database used in between? Empty the target and begin again."
            )
        return ComparedTable(table.name, here)


class _SqliteSource:
    """The embedded database, which nobody else has open."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise MoveError(f"there is no database {path.absolute()}")
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            # Whoever serves this file holds a lock on it that is noticed here, and only here.
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
        accounts = "".join(sid for (sid,) in self._all(ACCOUNTS))
        self.identity = hashlib.sha256(accounts.encode()).hexdigest()

    def _all(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, arguments).fetchall()

    def _check_version(self, path: Path) -> None:
        known = [each.name for each in migrations()]
        if [name for (name,) in self._all(KNOWN)] != known:
            self.close()
            raise MoveError(
                f"{path} is of another version: start this version's server on it once, and stop it"
            )

    def _table(self, name: str) -> MovedTable:
        return MovedTable(name, tuple(column for (column,) in self._all(COLUMNS, name)))

    def count(self, table: MovedTable) -> int:
        """How many rows there are."""
        # tidy: no-sql-building - the name comes from the schema
        found = self._all(f"SELECT count(*) FROM {table.name}")  # noqa: S608 - as above.
        return int(found[0][0])

    def batch(self, table: MovedTable, after: int) -> list[tuple[Any, ...]]:
        """The next rows, each behind its number in the file."""
        sql = _selected(table, "rowid, ") + NEXT_ROWS
        return self._all(sql, after, limits.MOVED_ROWS_PER_STEP_MAX)

    def contents(self, table: MovedTable) -> TableContents:
        """What the table holds."""
        return _contents(self._connection.execute(_selected(table)))

    def close(self) -> None:
        """Let the file go, unchanged."""
        self._connection.close()


class _PostgresTarget:
    """The PostgreSQL database."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    @classmethod
    async def connected(cls, url: str) -> _PostgresTarget:
        """The database of a URL."""
        try:
            return cls(await connect(url, **UNLIMITED))
        except REFUSED as error:
            raise MoveError(str(no_connection(url, error))) from error

    async def prepare(self, tables: list[MovedTable]) -> None:
        """Make the schema, if it is not there, and see that it takes these tables."""
        await migrate(self._connection)
        for table in tables:
            # tidy: no-sql-building - the name comes from the schema
            sql = f"SELECT * FROM {table.name} LIMIT 0"  # noqa: S608 - as above.
            prepared = await self._connection.prepare(sql)
            columns = {attribute.name for attribute in prepared.get_attributes()}
            if columns != set(table.columns):
                raise MoveError(f"{table.name} has other columns in the target")

    async def begin(self, tables: list[MovedTable], identity: str) -> dict[str, _Note]:
        """How far each table got in an earlier run of the same source; else it must be empty."""
        if not await self._connection.fetchval(HAS_NOTES):
            await self._must_be_empty(tables)
            await self._connection.execute(MAKE_NOTES)
        found = await self._connection.fetch(NOTES)
        if any(source != identity for *_, source in found):
            raise MoveError("the target holds part of another store that was being moved")
        await self._connection.execute(COMMIT_LATER)
        return {name: _Note(last_row, rows) for name, last_row, rows, _ in found}

    async def _must_be_empty(self, tables: list[MovedTable]) -> None:
        for table in tables:
            # tidy: no-sql-building - the name comes from the schema
            sql = f"SELECT EXISTS (SELECT 1 FROM {table.name})"  # noqa: S608 - as above.
            if await self._connection.fetchval(sql):
                raise MoveError(f"the target is not empty: there are rows in {table.name}")

    async def add(
        self, table: MovedTable, rows: list[tuple[Any, ...]], note: _Note, identity: str
    ) -> None:
        """Add a batch and its note, both or none."""
        async with self._connection.transaction():
            # COPY does not pass the wall between accounts; the owner of a table may lower it, and
            # nobody sees that it was low: it stands again when the transaction ends.
            is_walled = await self._connection.fetchval(IS_WALLED, table.name)
            if is_walled:
                await self._wall(table, "NO FORCE")
            await self._connection.copy_records_to_table(
                table.name, records=rows, columns=table.columns
            )
            if is_walled:
                await self._wall(table, "FORCE")
            await self._connection.execute(NOTE, table.name, *note, identity)

    async def _wall(self, table: MovedTable, word: str) -> None:
        await self._connection.execute(f"ALTER TABLE {table.name} {word} ROW LEVEL SECURITY")

    async def continue_numbers(self, numbered: dict[str, int]) -> None:
        """Go on counting where the source stopped, so that no number is given twice."""
        for name, last in numbered.items():
            if last > 0:
                await self._connection.execute(CONTINUE_NUMBERS, name, last)

    async def contents(self, table: MovedTable) -> TableContents:
        """What the table holds, read in one transaction and a part at a time."""
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
        """Have all of it on disk; from now on it is a store like any other."""
        await self._connection.execute(COMMIT_NOW)
        await self._connection.execute(REMOVE_NOTES)
        await self._connection.execute("ANALYZE")  # Or the first plans are those of empty tables.

    async def close(self) -> None:
        """Let go of the database."""
        await self._connection.close()


def _selected(table: MovedTable, before: str = "") -> str:
    """The statement that reads a table; its names come from the schema and nowhere else."""
    return f"SELECT {before}{', '.join(table.columns)} FROM {table.name}"  # noqa: S608 - see above.


def _contents(rows: Iterator[tuple[Any, ...]]) -> TableContents:
    count = checksum = 0
    encode = msgspec.json.Encoder().encode
    for row in rows:
        count += 1
        checksum += int.from_bytes(hashlib.sha256(encode(row)).digest()[:16])
    return TableContents(count, checksum % _MODULUS)
