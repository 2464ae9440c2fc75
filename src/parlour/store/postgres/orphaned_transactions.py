"""Orphaned transactions: their node is paused or disconnected; any other node ends them.

Every session has timeouts (``SESSION`` in ``connections.py``), which PostgreSQL enforces except in
one state: while it waits for the rest of a message. A node that prepares a statement and becomes
unresponsive before it reads the response stays in its transaction for as long as both kernels
consider the connection open. All other nodes then wait for its locks: a row, a lease, a gap in the
event log. So every node polls for transactions of nodes that are older than any timeout allows, and
terminates their sessions.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from parlour.store.postgres.connections import FAILED, SESSION
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged

if TYPE_CHECKING:
    from parlour.store.postgres.connections import ConnectionPool

log = structlog.get_logger()

TERMINATE: Final = """
SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND usename = current_user AND application_name = $1
   AND xact_start < clock_timestamp() - $2 * INTERVAL '1 millisecond' AND pid <> pg_backend_pid()
"""


class OrphanedTransactions:
    """Polls for orphaned transactions while the store is open."""

    def __init__(self, connections: ConnectionPool) -> None:
        self._connections = connections
        self._polling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start polling."""
        self._polling = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Stop polling."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)

    async def _poll(self) -> None:
        while True:  # Ends when it is cancelled.
            await asyncio.sleep(limits.ORPHANED_TRANSACTIONS_POLL_MS / 1000)
            with failures_logged("orphaned_transaction_poll_failed", Busy, Unavailable, *FAILED):
                count = await self.terminate()
                if count:
                    log.warning("orphaned_transactions_terminated", count=count)

    async def terminate(self) -> int:
        """Terminate the sessions whose transactions are too old; return how many."""
        connection = await self._connections.acquire()
        try:
            count: int = await connection.fetchval(
                TERMINATE,
                # Sessions of migrations and moves have another name and no limit.
                SESSION["application_name"],
                float(limits.ORPHANED_TRANSACTION_MS_MIN),
                timeout=limits.STORE_TRANSACTION_MS_MAX / 1000,
            )
        except BaseException:
            self._connections.discard(connection)
            raise
        self._connections.release(connection)
        return count
