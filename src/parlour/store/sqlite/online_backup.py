"""A copy of the SQLite database as of one moment, made while the server is running.

The copy is read in one transaction. Commits in the meantime go to the write-ahead log, which the
copy neither sees nor waits for. SQLite's backup API restarts with each commit of another process
unless a read transaction is open before it starts, so one is.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import apsw

from parlour.store.master_key import FETCH as FETCH_FINGERPRINT
from parlour.store.migrations import migrations
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")

POSITION: Final = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'event'"
MIGRATIONS: Final = "SELECT name FROM migration ORDER BY name"
# tidy: account-in-sql - a backup is of all accounts
MEDIA: Final = """
SELECT account_sid, sid FROM media WHERE is_removed = 0 AND content IS NULL
 ORDER BY account_sid, sid
"""


ACCOUNT_STATUS: Final = "SELECT status FROM account WHERE sid = ?1"
HAS_KEY: Final = "SELECT 1 FROM sqlite_schema WHERE name = 'master_key'"

UNUSED_OPERATORS: Final = """
SELECT sid, name FROM operator WHERE date_revoked IS NULL AND MAX(last_used, date_created) < ?1
 ORDER BY name LIMIT 100
"""
HAS_OPERATORS: Final = "SELECT 1 FROM sqlite_schema WHERE name = 'operator'"


class DamagedDatabaseError(Exception):
    """The database is corrupt, or of a version that this one does not know."""


class DatabaseContents(NamedTuple):
    """The contents of a copy: every event up to ``position``, and none after it."""

    position: int
    migrations: tuple[str, ...]


def copy_database(
    source: Path, target: Path, report: Callable[[int, int], None]
) -> DatabaseContents:
    """Copy the database file and check the copy; ``report`` gets the pages copied and in total.

    Raises DamagedDatabaseError, and OSError where the copy cannot be written.
    """
    try:
        copied = _copy(source, target, report)
    except (apsw.IOError, apsw.FullError) as error:
        # SQLite reports neither which of the two files failed, nor always why.
        raise OSError(f"{source} cannot be copied to {target}: is the disk full?") from error
    except apsw.Error as error:
        raise DamagedDatabaseError(f"{source}: {error}") from error
    if check_database(target) != copied:
        raise DamagedDatabaseError(f"{target} is not what was copied")
    return copied


def _copy(source: Path, target: Path, report: Callable[[int, int], None]) -> DatabaseContents:
    with _opened(source, apsw.SQLITE_OPEN_READWRITE) as from_, _opened(target) as to:
        from_.execute("BEGIN")
        copied = _contents(from_)
        with to.backup("main", from_, "main") as backup:
            while not backup.done:
                backup.step(limits.BACKUP_PAGES_PER_STEP)
                report(backup.page_count - backup.remaining, backup.page_count)
        from_.execute("COMMIT")
        # A single file, without a write-ahead log next to it.
        to.execute("PRAGMA journal_mode = DELETE")
    return copied


def check_database(path: Path) -> DatabaseContents:
    """Return what an intact database of a known version holds. Raises DamagedDatabaseError."""
    try:
        with _opened(path, apsw.SQLITE_OPEN_READONLY) as connection:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
            if problems != ["ok"]:
                raise DamagedDatabaseError(f"{path}: {problems[0]}")
            copied = _contents(connection)
    except apsw.Error as error:
        raise DamagedDatabaseError(f"{path}: {error}") from error
    unknown = set(copied.migrations) - {each.name for each in migrations()}
    if unknown:
        raise DamagedDatabaseError(f"{path} is of a later version: {', '.join(sorted(unknown))}")
    return copied


def media_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield account and sid of every medium in a copy of the database that is stored as a file."""
    with _opened(path, apsw.SQLITE_OPEN_READONLY) as connection:
        for account_sid, sid in connection.execute(MEDIA):
            yield str(account_sid), str(sid)


def key_fingerprint_of(path: Path) -> str:
    """Return the fingerprint of the key that a database belongs to; empty if it records none."""
    with _opened(path, apsw.SQLITE_OPEN_READONLY) as connection:
        return _fingerprint(connection)


def recorded_fingerprint(path: Path) -> str:
    """Return the fingerprint of a database that may be in use. Raises DamagedDatabaseError."""
    return _read_in_use(path, _fingerprint)


def account_statuses(path: Path, sids: Iterable[str]) -> dict[str, str]:
    """Return the status of each account that exists. Raises DamagedDatabaseError."""

    def read(connection: apsw.Connection) -> dict[str, str]:
        return {
            sid: str(row[0]) for sid in sids for row in connection.execute(ACCOUNT_STATUS, (sid,))
        }

    return _read_in_use(path, read)


def unused_operators(path: Path, before_ms: int) -> list[tuple[str, str]]:
    """Return SID and name of operators without use since then. Raises DamagedDatabaseError."""

    def read(connection: apsw.Connection) -> list[tuple[str, str]]:
        # A database of an earlier version has no such table.
        if next(iter(connection.execute(HAS_OPERATORS)), None) is None:
            return []
        rows = connection.execute(UNUSED_OPERATORS, (before_ms,))
        return [(str(sid), str(name)) for sid, name in rows]

    return _read_in_use(path, read)


def _read_in_use(path: Path, read: Callable[[apsw.Connection], T]) -> T:
    """Read from a database that may be in use, and create no file next to it.

    Raises DamagedDatabaseError for a file that is not a database.
    """
    # Without a write-ahead log it is not in use, and opening it as read-only would create one.
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        connection = apsw.Connection(f"{path.absolute().as_uri()}?{mode}", flags=flags)
        try:
            connection.set_busy_timeout(limits.BACKUP_BUSY_MS_MAX)
            return read(connection)
        finally:
            connection.close()
    except apsw.Error as error:
        raise DamagedDatabaseError(f"{path}: {error}") from error


def _fingerprint(connection: apsw.Connection) -> str:
    # A database of an earlier version has no such table.
    if next(iter(connection.execute(HAS_KEY)), None) is None:
        return ""
    row = next(iter(connection.execute(FETCH_FINGERPRINT)), None)
    return str(row[0]) if row is not None else ""


def _contents(connection: apsw.Connection) -> DatabaseContents:
    (position,) = next(iter(connection.execute(POSITION)))
    names = tuple(str(row[0]) for row in connection.execute(MIGRATIONS))
    assert isinstance(position, int)
    return DatabaseContents(position, names)


@contextlib.contextmanager
def _opened(
    path: Path, flags: int = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path), flags=flags)
    try:
        connection.set_busy_timeout(limits.BACKUP_BUSY_MS_MAX)
        yield connection
    finally:
        connection.close()
