"""Checkpoints: moving the write-ahead log into the database file, beside the writer.

A checkpoint runs on a connection and a thread of its own, so neither readers nor the writer wait
for it. It starts when the log has grown by ``WAL_PAGES_CHECKPOINT``; while one runs no second is
queued. When the log has come near its ceiling the checkpoint also resets it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING

import apsw
import structlog

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger()


class Checkpoints:
    """One connection that checkpoints when it is worth it."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connection = connect()
        self._thread = ThreadPoolExecutor(1, "parlour-checkpoint")
        self._running = Lock()

    def committed(self, _connection: apsw.Connection, _schema: str, pages: int) -> int:
        """After each commit: how long the log is now. The signature is SQLite's."""
        if pages >= limits.WAL_PAGES_CHECKPOINT and self._running.acquire(blocking=False):
            self._thread.submit(self._checkpoint, pages)
        return int(apsw.SQLITE_OK)

    def _checkpoint(self, pages: int) -> None:
        mode = (
            apsw.SQLITE_CHECKPOINT_RESTART
            if pages >= limits.WAL_PAGES_MAX
            else apsw.SQLITE_CHECKPOINT_PASSIVE
        )
        try:
            self._connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            log.debug("checkpoint_busy", pages=pages)  # The next commit asks again.
        except apsw.Error:
            log.exception("checkpoint_failed", pages=pages)
        finally:
            self._running.release()

    def close(self) -> None:
        """Wait for a running checkpoint, and close."""
        self._thread.shutdown()
        self._connection.close()
