"""Checkpoints: copying the write-ahead log (WAL) into the database file while the writer runs.

They run on a dedicated connection and thread. A *passive* checkpoint takes no lock that the
writer needs; it copies pages up to the oldest snapshot of a reader. A *restart*, after which the
WAL is written from its beginning again, holds the write lock until no reader needs the WAL. So it
is attempted only after a passive checkpoint that copied every page, and never against a reader.

The same thread updates the statistics of the query planner: after the first checkpoint of a process
and then once an hour, if there are writes. It reads few rows of each index.

While a reader keeps its snapshot (a backup, an analyst's shell), the WAL grows, which does not slow
the writer down. After the reader has finished, the WAL is copied and truncated without waiting for
another commit.
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

# 0x02: run ANALYZE where it is due. 0x10000: for all tables, as this connection runs no queries.
_OPTIMIZE: Final = "PRAGMA optimize = 0x10002"
_FIRST_BACKOFF_MS: Final = 25  # Doubled before its first use. Our own reads take milliseconds.


# state      invariant                                 next
# ---------  ----------------------------------------  ----------------------------------------
# idle       few pages since the last checkpoint       passive, after ``WAL_PAGES_CHECKPOINT``
# blocked    a reader needs pages that are not copied  passive, after an exponential backoff
# caught up  all is copied, and the WAL is long        restart, or truncate a file that is long
class Checkpoints:
    """The connection and the thread that checkpoint."""

    def __init__(
        self, connect: Callable[[], apsw.Connection], database: Path, clock: Clock
    ) -> None:
        self._connection = connect()
        self._wal = database.with_name(database.name + "-wal")
        self._index = database.with_name(database.name + "-shm")
        # Pages in the WAL since its last restart, and how many of them are copied.
        self._pages = self._copied = 0
        self._is_blocked = False
        self._backoff_ms = _FIRST_BACKOFF_MS
        self._warned_bytes = limits.WAL_WARNED_BYTES
        self._is_closing = False
        self._clock = clock
        self._statistics_due_ms = 0.0
        self._connection.execute(f"PRAGMA analysis_limit = {limits.STATISTICS_ROWS}")
        self._requested = Event()
        if self._size() > limits.WAL_BYTES_MAX:
            self._requested.set()  # A process that was killed has left it.
        # Daemon: a process that exits without closing the store does not wait for it.
        self._thread = Thread(target=self._run, name="parlour-checkpoint", daemon=True)
        self._thread.start()

    def committed(self, _connection: apsw.Connection, _schema: str, pages: int) -> int:
        """Request a checkpoint if the WAL has grown enough. The signature is SQLite's."""
        if pages < self._pages:
            self._copied = 0  # The WAL was restarted.
        self._pages = pages
        # Called in the commit thread: it only sets an event.
        if pages - self._copied >= limits.WAL_PAGES_CHECKPOINT and not self._is_blocked:
            self._requested.set()
        return int(apsw.SQLITE_OK)

    def _run(self) -> None:
        delay_seconds: float | None = None
        while True:  # Ends when the store is closed.
            self._requested.wait(delay_seconds)
            self._requested.clear()
            if self._is_closing:
                return
            try:
                delay_seconds = self._step()
                self._update_statistics()
            except apsw.BusyError:
                delay_seconds = (
                    self._back_off()
                )  # A reader of the last page, or another checkpoint.
            except apsw.Error:
                log.exception("checkpoint_failed", pages=self._pages)
                delay_seconds = self._back_off()

    def _step(self) -> float | None:
        """Run one checkpoint; return the seconds until the next, None to wait for a commit."""
        pages, copied = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._copied = copied
        size = self._size()
        if copied < pages:
            self._warn(size)
            return self._back_off()
        is_too_long = size > limits.WAL_BYTES_MAX
        if pages >= limits.WAL_PAGES_MAX or is_too_long:
            if self._pages - copied >= limits.WAL_PAGES_CHECKPOINT:
                return 0  # Many new pages: a restart would block the writer while it copies them.
            self._restart(size, truncates=is_too_long)
        self._backoff_ms, self._is_blocked = _FIRST_BACKOFF_MS, False
        return None

    def _back_off(self) -> float:
        """Ignore commits until the reader may have finished; return the seconds until then."""
        self._is_blocked = True
        self._backoff_ms = min(2 * self._backoff_ms, limits.WAL_RETRY_MS)
        return self._backoff_ms / 1000

    def _restart(self, size: int, *, truncates: bool) -> None:
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncates else apsw.SQLITE_CHECKPOINT_RESTART
        self._connection.wal_checkpoint(mode=mode)
        self._copied = 0
        if truncates:
            log.info("wal_truncated", size_bytes=size)
            self._warned_bytes = limits.WAL_WARNED_BYTES

    def _update_statistics(self) -> None:
        """Run ANALYZE for tables without statistics, or whose size has changed."""
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._statistics_due_ms:
            return
        try:
            self._connection.execute(_OPTIMIZE)
        except apsw.BusyError:
            return  # Another process is writing: retried after the next checkpoint.
        self._statistics_due_ms = now_ms + limits.STATISTICS_MS

    def _warn(self, size: int) -> None:
        """Log the readers that block a very long WAL; again each time its size has doubled."""
        if size >= self._warned_bytes:
            self._warned_bytes = 2 * size
            log.warning("wal_truncation_blocked", size_bytes=size, readers=readers_of(self._index))

    def _size(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Wait for a running checkpoint, then close the connection."""
        self._is_closing = True
        self._requested.set()
        self._thread.join()
        self._connection.close()
