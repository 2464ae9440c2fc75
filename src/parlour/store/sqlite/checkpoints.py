"""Checkpoints: moving the write-ahead log into the database file, beside the writer.

They run on a connection and a thread of their own. A *passive* checkpoint takes no lock that the
writer wants. It moves pages up to the oldest snapshot that a reader still has. A *reset*, after
which the log is written from its beginning again, holds the write lock until no reader needs the
log. So it is tried only after a passive checkpoint that moved every page, never against a reader.

| state     | what is so                              | next                                     |
|-----------|-----------------------------------------|------------------------------------------|
| idle      | few pages were written since the last   | passive, after ``WAL_PAGES_CHECKPOINT``  |
| held      | a reader needs pages that are not moved | passive, after a pause that doubles      |
| caught up | all is moved, and the log is long       | reset, or truncate a file that is long   |

The same thread keeps the statistics of the planner: after the first checkpoint of a process, and
then once an hour, if something is written. Few rows of each index are read for them.

While a reader stays (a backup, an analyst's shell) the log grows, and does not slow the writer
down. Once it has gone, the log is moved and truncated without another commit.
"""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING, Final

import apsw
import structlog

from parlour.store.sqlite.wal_readers import readers_of
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from parlour.vocabulary.clock import Clock

log = structlog.get_logger()

# 0x02: ANALYZE what needs it. 0x10000: of all tables, since this connection asks for no rows.
_OPTIMIZE: Final = "PRAGMA optimize = 0x10002"
_FIRST_PAUSE_MS: Final = 25  # Doubled at once: readers of our own take a few milliseconds.


class Checkpoints:
    """One connection that checkpoints when it is worth it."""

    def __init__(
        self, connect: Callable[[], apsw.Connection], database: Path, clock: Clock
    ) -> None:
        self._connection = connect()
        self._log = database.with_name(database.name + "-wal")
        self._index = database.with_name(database.name + "-shm")
        # Pages in the log since its last reset, and how many of them are moved.
        self._pages = self._moved = 0
        self._is_held = False
        self._pause_ms = _FIRST_PAUSE_MS
        self._warned_bytes = limits.WAL_WARNED_BYTES
        self._is_closing = False
        self._clock = clock
        self._statistics_due_ms = 0.0
        self._connection.execute(f"PRAGMA analysis_limit = {limits.STATISTICS_ROWS}")
        self._wanted = Event()
        if self._size() > limits.WAL_BYTES_MAX:
            self._wanted.set()  # Left by a process that was killed.
        # A process that ends without closing the store does not wait for it.
        self._thread = Thread(target=self._run, name="parlour-checkpoint", daemon=True)
        self._thread.start()

    def committed(self, _connection: apsw.Connection, _schema: str, pages: int) -> int:
        """Take the length of the log after a commit. The signature is SQLite's."""
        if pages < self._pages:
            self._moved = 0  # The log began again.
        self._pages = pages
        if pages - self._moved >= limits.WAL_PAGES_CHECKPOINT and not self._is_held:
            self._wanted.set()
        return int(apsw.SQLITE_OK)

    def _run(self) -> None:
        pause_seconds: float | None = None
        while True:  # Ends when the store is closed.
            self._wanted.wait(pause_seconds)
            self._wanted.clear()
            if self._is_closing:
                return
            try:
                pause_seconds = self._step()
                self._keep_statistics()
            except apsw.BusyError:
                pause_seconds = self._hold()  # By a reader of the end, or another checkpoint.
            except apsw.Error:
                log.exception("checkpoint_failed", pages=self._pages)
                pause_seconds = self._hold()

    def _step(self) -> float | None:
        """Make one checkpoint; return the seconds until the next, None if a commit asks for it."""
        pages, moved = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._moved = moved
        size = self._size()
        if moved < pages:
            self._warn(size)
            return self._hold()
        is_too_long = size > limits.WAL_BYTES_MAX
        if pages >= limits.WAL_PAGES_MAX or is_too_long:
            if self._pages - moved >= limits.WAL_PAGES_CHECKPOINT:
                return 0  # Much was written meanwhile: a reset would hold the writer for long.
            self._reset(size, truncates=is_too_long)
        self._pause_ms, self._is_held = _FIRST_PAUSE_MS, False
        return None

    def _hold(self) -> float:
        """Wait for a reader, without a look at each commit; return the seconds until then."""
        self._is_held = True
        self._pause_ms = min(2 * self._pause_ms, limits.WAL_RETRY_MS)
        return self._pause_ms / 1000

    def _reset(self, size: int, *, truncates: bool) -> None:
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncates else apsw.SQLITE_CHECKPOINT_RESTART
        self._connection.wal_checkpoint(mode=mode)
        self._moved = 0
        if truncates:
            log.info("wal_truncated", size_bytes=size)
            self._warned_bytes = limits.WAL_WARNED_BYTES

    def _keep_statistics(self) -> None:
        """Have SQLite read tables that have none, or have changed in size, a few rows of each."""
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._statistics_due_ms:
            return
        try:
            self._connection.execute(_OPTIMIZE)
        except apsw.BusyError:
            return  # Another process writes: after the next checkpoint.
        self._statistics_due_ms = now_ms + limits.STATISTICS_MS

    def _warn(self, size: int) -> None:
        """Name the readers that keep a very long log; again each time it is twice as long."""
        if size >= self._warned_bytes:
            self._warned_bytes = 2 * size
            log.warning("wal_held_by_reader", size_bytes=size, readers=readers_of(self._index))

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Wait for a running checkpoint, and close."""
        self._is_closing = True
        self._wanted.set()
        self._thread.join()
        self._connection.close()
