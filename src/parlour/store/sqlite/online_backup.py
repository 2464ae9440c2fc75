"""A copy of the embedded database as it was at one moment, made while the server goes on.

The copy is read in one transaction: what is committed meanwhile goes to the write-ahead log, which
the copy does not see and does not wait for. SQLite's own backup would begin again with every
commit of another process; it does not, because the transaction is open before it begins.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

import apsw

from parlour.store.master_key import FETCH as FETCH_FINGERPRINT
from parlour.store.migrations import migrations
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POSITION: Final = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'event'"
MIGRATIONS: Final = "SELECT name FROM migration ORDER BY name"
# tidy: account-in-sql - a backup is of all accounts
MEDIA: Final = """
SELECT account_sid, sid FROM media WHERE is_removed = 0 AND content IS NULL
 ORDER BY account_sid, sid
"""


HAS_KEY: Final = "SELECT 1 FROM sqlite_schema WHERE name = 'master_key'"


class DamagedDatabaseError(Exception):
    """A database that is not whole, or not one that this version knows."""


class DatabaseContents(NamedTuple):
    """What a copy holds: every event up to a number, and none after it."""

    position: int
    migrations: tuple[str, ...]


def copy_database(source: Path, target: Path, tell: Callable[[int, int], None]) -> DatabaseContents:
    """Copy the database file, and check the copy; ``tell`` gets the pages done and in all.

    Raises DamagedDatabaseError, and OSError where the copy cannot be written.
    """
    try:
        copied = _copy(source, target, tell)
    except (apsw.IOError, apsw.FullError) as error:
        # SQLite does not say which of the two files it was, nor always why.
        raise OSError(f"{source} cannot be copied to {target}: is the disk full?") from error
    except apsw.Error as error:
        raise DamagedDatabaseError(f"{source}: {error}") from error
    if check_database(target) != copied:
        raise DamagedDatabaseError(f"{target} is not what was copied")
    return copied


def _copy(source: Path, target: Path, tell: Callable[[int, int], None]) -> DatabaseContents:
    with _opened(source, apsw.SQLITE_OPEN_READWRITE) as from_, _opened(target) as to:
        from_.execute("BEGIN")
        copied = _contents(from_)
        with to.backup("main", from_, "main") as backup:
            while not backup.done:
                backup.step(limits.BACKUP_PAGES_PER_STEP)
                tell(backup.page_count - backup.remaining, backup.page_count)
        from_.execute("COMMIT")
        # One file that is complete by itself, without a log beside it.
        to.execute("PRAGMA journal_mode = DELETE")
    return copied


def check_database(path: Path) -> DatabaseContents:
    """Return what an intact database of a known version holds. Raises DamagedDatabaseError."""
    try:
        with _opened(path, apsw.SQLITE_OPEN_READONLY) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
            if found != ["ok"]:
                raise DamagedDatabaseError(f"{path}: {found[0]}")
            copied = _contents(connection)
    except apsw.Error as error:
        raise DamagedDatabaseError(f"{path}: {error}") from error
    unknown = set(copied.migrations) - {each.name for each in migrations()}
    if unknown:
        raise DamagedDatabaseError(f"{path} is of a later version: {', '.join(sorted(unknown))}")
    return copied


def media_of(path: Path) -> Iterator[tuple[str, str]]:
    """Account and sid of every medium that a copy of the database has, if its bytes are a file."""
    with _opened(path, apsw.SQLITE_OPEN_READONLY) as connection:
        for account_sid, sid in connection.execute(MEDIA):
            yield str(account_sid), str(sid)


def key_fingerprint_of(path: Path) -> str:
    """Return the fingerprint of the key that a database belongs to; empty if it does not say."""
    with _opened(path, apsw.SQLITE_OPEN_READONLY) as connection:
        return _fingerprint(connection)


def recorded_fingerprint(path: Path) -> str:
    """Return the same of a database that may be in use, and leave no file beside it.

    Raises DamagedDatabaseError for a file that is no database.
    """
    # Without a log nothing is in use, and reading it as such would make a log.
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        connection = apsw.Connection(f"{path.absolute().as_uri()}?{mode}", flags=flags)
        try:
            connection.set_busy_timeout(limits.BACKUP_BUSY_MS_MAX)
            return _fingerprint(connection)
        finally:
            connection.close()
    except apsw.Error as error:
        raise DamagedDatabaseError(f"{path}: {error}") from error


def _fingerprint(connection: apsw.Connection) -> str:
    # A database may be of a version that did not keep it.
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
