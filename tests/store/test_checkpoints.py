"""The write-ahead log while a reader keeps its snapshot: it grows, and no writer waits."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import apsw
import pytest
from structlog.testing import capture_logs

from parlour.store.sqlite import engine as sqlite_engine
from parlour.store.sqlite.engine import SqliteStore
from parlour.store.sqlite.wal_readers import UNKNOWN, readers_of
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock, SystemRandom
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.store.transaction import Transaction

SAVE = "INSERT INTO sink_position (sink, sequence) VALUES ($1, $2)"
ROW = "x" * 3000
WRITES = 200
READ = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM sink_position").fetchone()
print("reads", flush=True)
sys.stdin.read()
"""


class RecordedConnection(apsw.Connection):
    """A connection that records its checkpoints, and when it had to wait."""

    modes: ClassVar[list[int]] = []
    refused: ClassVar[list[str]] = []

    def wal_checkpoint(self, *arguments: Any, **options: Any) -> Any:
        self.modes.append(options["mode"])
        return super().wal_checkpoint(*arguments, **options)

    def execute(self, sql: str, *arguments: Any, **options: Any) -> Any:
        try:
            return super().execute(sql, *arguments, **options)
        except apsw.BusyError:
            self.refused.append(sql)
            raise


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_engine.apsw, "Connection", RecordedConnection)
    monkeypatch.setattr(RecordedConnection, "modes", [])
    monkeypatch.setattr(RecordedConnection, "refused", [])
    monkeypatch.setattr(limits, "WAL_PAGES_CHECKPOINT", 4)
    monkeypatch.setattr(limits, "WAL_PAGES_MAX", 16)
    monkeypatch.setattr(limits, "WAL_BYTES_MAX", 128 * 1024, raising=False)
    monkeypatch.setattr(limits, "WAL_WARNED_BYTES", 256 * 1024, raising=False)
    monkeypatch.setattr(limits, "WAL_RETRY_MS", 50, raising=False)


@contextmanager
def reading(database: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that keeps a snapshot."""
    command = [sys.executable, "-c", READ, str(database), *words]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert reader.stdin is not None
    assert reader.stdout is not None
    try:
        assert reader.stdout.readline() == "reads\n"
        yield reader
    finally:
        reader.stdin.close()
        reader.wait()
        reader.stdout.close()


async def write(store: SqliteStore, first: int) -> None:
    async def save(number: int, tx: Transaction) -> None:
        await tx.run(SAVE, f"{number}{ROW}", 1)

    for number in range(first, first + WRITES):
        await store.write(lambda tx, number=number: save(number, tx))


def log_size(database: Path) -> int:
    return Path(f"{database}-wal").stat().st_size


def open_store(database: Path) -> SqliteStore:
    return SqliteStore(database, SystemClock(), SystemRandom())


def test_long_reader_grows_the_wal_and_never_blocks_the_writer(
    tmp_path: Path,
) -> None:
    database = tmp_path / "p.sqlite"
    store = open_store(database)
    eventually(lambda: log_size(database), lambda size: size <= limits.WAL_BYTES_MAX)
    with capture_logs() as logged:
        with reading(database) as reader:
            RecordedConnection.modes.clear()
            asyncio.run(write(store, 0))
            assert log_size(database) > limits.WAL_WARNED_BYTES
            assert set(RecordedConnection.modes) == {apsw.SQLITE_CHECKPOINT_PASSIVE}
            assert RecordedConnection.refused == []
            named = f"process {reader.pid} ("
            eventually(lambda: list(logged), lambda seen: any("readers" in each for each in seen))
            # A later one finds the reader at its end.
            warnings = [each for each in logged if each["event"] == "wal_truncation_blocked"]
        # Nothing is written from here on.
        eventually(lambda: log_size(database), lambda size: size <= limits.WAL_BYTES_MAX)
        eventually(lambda: logged[-1]["event"], lambda event: event == "wal_truncated")
    assert warnings
    assert {each["log_level"] for each in warnings} == {"warning"}
    assert all(each["readers"][0].startswith(named) for each in warnings)
    sizes = [each["size_bytes"] for each in warnings]
    assert all(later >= 2 * size for size, later in pairwise(sizes)), sizes
    asyncio.run(store.close())


def test_wal_without_readers_stays_short(tmp_path: Path) -> None:
    database = tmp_path / "p.sqlite"
    store = open_store(database)
    asyncio.run(write(store, 0))
    asyncio.run(write(store, WRITES))
    eventually(lambda: log_size(database), lambda size: size <= limits.WAL_BYTES_MAX)
    asyncio.run(store.close())


def test_long_wal_of_a_killed_process_is_truncated_at_startup(tmp_path: Path) -> None:
    database = tmp_path / "p.sqlite"
    store = open_store(database)
    with reading(database):
        asyncio.run(write(store, 0))
        asyncio.run(store.close())
        assert log_size(database) > limits.WAL_BYTES_MAX
        again = open_store(database)
    eventually(lambda: log_size(database), lambda size: size <= limits.WAL_BYTES_MAX)
    asyncio.run(again.close())


def test_reader_description_names_a_backup_and_no_other_argument(tmp_path: Path) -> None:
    database = tmp_path / "p.sqlite"
    store = open_store(database)
    index = Path(f"{database}-shm")
    with reading(database, "/usr/bin/parlour", "backup", "secret") as reader:
        assert readers_of(index) == [f"process {reader.pid} (parlour backup)"]
    with reading(database, "secret") as reader:
        found = readers_of(index)
    assert found[0].startswith(f"process {reader.pid} (")
    assert "secret" not in found[0]
    assert readers_of(index) == [UNKNOWN]
    asyncio.run(store.close())


def test_planner_has_statistics_after_the_first_checkpoint(tmp_path: Path) -> None:
    database = tmp_path / "p.sqlite"
    store = open_store(database)
    asyncio.run(write(store, 0))
    # Not by sqlite3, another copy of SQLite: if one closes the file, the other in the
    # same process loses its locks, and the shared index may be truncated beneath it (SIGBUS).
    with closing(apsw.Connection(str(database))) as connection:
        named = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'"
        eventually(lambda: connection.execute(named).fetchone(), lambda row: row == (1,))
        rows = "SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'sink_position'"
        eventually(lambda: connection.execute(rows).fetchone(), lambda row: row[0] > 0)
    asyncio.run(store.close())
