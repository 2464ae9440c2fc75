"""No two threads use one connection at a time: SQLite has no mutex that would see to it."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from parlour.store.sqlite import engine as sqlite_engine
from parlour.store.sqlite.engine import SqliteStore
from parlour.store.sqlite.transaction import SqliteReadTransaction
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock, SystemRandom
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parlour.store.transaction import Transaction

SCOPE = Scope("AC" + "0" * 32)
SAVE = "INSERT INTO sink_position (sink, sequence) VALUES ($1, $2)"
READ = "SELECT sink FROM sink_position LIMIT 10"
CALL_SECONDS = 0.0005

violations: list[str] = []
"""Calls that came while another thread was in one."""


class ExclusiveConnection(apsw.Connection):
    """A connection that knows who uses it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._used = threading.RLock()
        self.cursor_factory = WatchedCursor

    @contextmanager
    def used(self, call: str) -> Iterator[None]:
        """One call, a little longer than it would take."""
        if not self._used.acquire(blocking=False):
            violations.append(f"{call} in {threading.current_thread().name}")
            yield
            return
        try:
            yield
            time.sleep(CALL_SECONDS)
        finally:
            self._used.release()

    def execute(self, sql: str, *arguments: Any, **options: Any) -> Any:
        with self.used(sql):
            return super().execute(sql, *arguments, **options)

    def changes(self) -> int:
        with self.used("changes"):
            return super().changes()

    def total_changes(self) -> int:
        with self.used("total_changes"):
            return super().total_changes()

    def wal_checkpoint(self, *arguments: Any, **options: Any) -> Any:
        with self.used("wal_checkpoint"):
            return super().wal_checkpoint(*arguments, **options)


class WatchedCursor(apsw.Cursor):
    """A cursor of such a connection."""

    def execute(self, sql: Any, *arguments: Any, **options: Any) -> Any:
        connection: Any = self.connection
        with connection.used(sql):
            return super().execute(sql, *arguments, **options)

    def fetchall(self) -> Any:
        connection: Any = self.connection
        with connection.used("fetchall"):
            return super().fetchall()


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> None:
    violations.clear()
    monkeypatch.setattr(sqlite_engine.apsw, "Connection", ExclusiveConnection)
    monkeypatch.setattr(limits, "WAL_PAGES_CHECKPOINT", 4)


async def load(store: SqliteStore) -> None:
    """Writers and readers at the same time, and checkpoints at the same time."""

    async def write(name: str) -> None:
        async def work(tx: Transaction) -> None:
            await tx.run(SAVE, name, 1)
            await tx.emit(SCOPE, "made", subject_sid=name, payload=1)

        for number in range(10):
            name = f"{name}{number}"
            await store.write(work)

    async def read() -> None:
        async def work(tx: Transaction) -> object:
            return await tx.all(READ)

        for _ in range(100):
            await store.read(work)
            await asyncio.sleep(0)

    await asyncio.gather(*(write(f"w{number}-") for number in range(4)), read(), read())
    await store.close()


def test_every_connection_is_used_by_one_thread_at_a_time(tmp_path: Path) -> None:
    asyncio.run(load(SqliteStore(tmp_path / "p.sqlite", SystemClock(), SystemRandom())))
    assert violations == []


def test_planted_read_on_the_writer_during_a_commit_is_detected(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "p.sqlite", SystemClock(), SystemRandom())
    store._read_tx = SqliteReadTransaction(store._writer, SystemClock(), store._settings_cache)
    asyncio.run(load(store))
    assert violations != []
