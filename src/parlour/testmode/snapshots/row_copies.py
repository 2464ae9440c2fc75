"""Copies of rows in a database in memory, attached to the connection of the writer.

Each copy has separate tables, named after its number. Rows are copied by the database, in one
statement for each table; tables without rows have no copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.store.blobs import BlobKey
from parlour.store.sqlite.exclusive import quoted
from parlour.testmode.reset import erasure, media_files
from parlour.testmode.reset.table_classes import CONNECTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.store.sqlite.exclusive import ExclusiveAccess
    from parlour.testmode.reset.table_classes import TableClasses

_ATTACHED: Final = "SELECT EXISTS (SELECT 1 FROM pragma_database_list WHERE name = 'snapshots')"

# No client is connected, and no inbound message is in progress.
_DISCONNECT_USERS: Final = """
UPDATE main.chat_user SET is_online = 0 WHERE is_online AND (?1 IS NULL OR account_sid = ?1)
"""
_RELEASE_MESSAGES: Final = """
UPDATE main.inbox SET due_ms = 0 WHERE due_ms > 0 AND (?1 IS NULL OR account_sid = ?1)
"""


class CopiedRows(NamedTuple):
    """A copy: its number, the account (None: all), its tables and its size."""

    number: int
    account_sid: str | None
    tables: tuple[str, ...]
    media: frozenset[BlobKey]
    """The media whose rows it contains, except those that are stored in their row."""
    size_bytes: int


def attach(access: ExclusiveAccess) -> None:
    """Attach the database of the copies, once. Not in a transaction."""
    if not access.run(_ATTACHED)[0][0]:
        access.run("ATTACH DATABASE ':memory:' AS snapshots")


def copy_rows(
    access: ExclusiveAccess, tables: TableClasses, number: int, account_sid: str | None
) -> CopiedRows:
    """Copy the rows of an account, or of all accounts."""
    before = size_bytes(access)
    copied = []
    for name, column in _sources(tables, account_sid):
        condition, arguments = _condition(column, account_sid)
        source = f"FROM main.{quoted(name)}{condition}"
        if access.run(f"SELECT EXISTS (SELECT 1 {source})", *arguments)[0][0]:
            target = f"snapshots.{quoted(_copy_of(number, name))}"
            access.run(f"CREATE TABLE {target} AS SELECT * {source}", *arguments)
            copied.append(name)
    media = _media_in(access, number, copied)
    return CopiedRows(
        number, account_sid, tuple(copied), media, max(0, size_bytes(access) - before)
    )


def restore_rows(access: ExclusiveAccess, tables: TableClasses, rows: CopiedRows) -> None:
    """Replace the rows of an account, or of all accounts, by a copy."""
    if rows.account_sid is None:
        erasure.delete_all_rows(access, tables)
    else:
        erasure.delete_rows(access, tables, rows.account_sid)
    for name in rows.tables:
        copy = f"snapshots.{quoted(_copy_of(rows.number, name))}"
        # tidy: no-sql-building - the names come from the schema
        access.run(f"INSERT INTO main.{quoted(name)} SELECT * FROM {copy}")
    access.run(_DISCONNECT_USERS, rows.account_sid)
    access.run(_RELEASE_MESSAGES, rows.account_sid)


def delete_copy(access: ExclusiveAccess, rows: CopiedRows) -> None:
    """Delete a copy."""
    for name in rows.tables:
        access.run(f"DROP TABLE snapshots.{quoted(_copy_of(rows.number, name))}")


def size_bytes(access: ExclusiveAccess) -> int:
    """Return the size of all copies."""
    pages, free, page_bytes = (
        int(access.run(f"PRAGMA snapshots.{name}")[0][0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_bytes


def _sources(tables: TableClasses, account_sid: str | None) -> Iterator[tuple[str, str]]:
    """Yield each table to copy, and the column of its account."""
    for table in tables.of_accounts:
        if table.name != CONNECTED:
            yield table.name, table.column
    if account_sid is None:
        for name in tables.unassigned:
            yield name, ""


def _condition(column: str, account_sid: str | None) -> tuple[str, tuple[str, ...]]:
    if account_sid is None:
        return "", ()
    return f" WHERE {column} = ?", (account_sid,)


def _copy_of(number: int, name: str) -> str:
    return f"{number}_{name}"


def _media_in(access: ExclusiveAccess, number: int, copied: list[str]) -> frozenset[BlobKey]:
    return frozenset(
        BlobKey(*row)
        for name in media_files.TABLES
        if name in copied
        for row in access.run(
            # tidy: no-sql-building - the names come from the schema
            f"SELECT account_sid, sid FROM snapshots.{quoted(_copy_of(number, name))}"
        )
    )
