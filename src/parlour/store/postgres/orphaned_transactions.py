"""Transactions that their node left: put out, so that nobody waits for them for ever.

Every session has limits of time (``SESSION`` in ``connections.py``), and PostgreSQL keeps them,
but for one moment: while it waits for the rest of a message. Who asks to have a statement prepared
and falls silent before it hears the answer, paused or cut off, stays in its transaction for as long
as the kernels think that both are there. All others then wait for what it holds: a row, a lease, a
number in the event log. So every node looks now and then for transactions of nodes that are older
than any may be, and ends their sessions.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from parlour.store.postgres.connections import FAILED, SESSION
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.postgres.connections import ConnectionPool

log = structlog.get_logger()

TERMINATE: Final = """
SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND usename = current_user AND application_name = $1
   AND xact_start < clock_timestamp() - $2 * INTERVAL '1 millisecond' AND pid <> pg_backend_pid()
"""


class OrphanedTransactions:
    """Looks for them as long as the store is open."""

    def __init__(self, connections: ConnectionPool) -> None:
        self._connections = connections
        self._polling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._polling = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Look no more."""
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)

    async def _poll(self) -> None:
        while True:  # Ends when it is cancelled.
            await asyncio.sleep(limits.ORPHANED_TRANSACTIONS_POLL_MS / 1000)
            try:
                count = await self.terminate()
            except (Busy, Unavailable, *FAILED):
                log.warning("orphaned_transaction_poll_failed", exc_info=True)
                continue
            if count:
                log.warning("orphaned_transactions_terminated", count=count)

    async def terminate(self) -> int:
        """End the sessions whose transactions are too old; how many there were."""
        connection = await self._connections.acquire()
        try:
            count: int = await connection.fetchval(
                TERMINATE,
                SESSION["application_name"],
                float(limits.ORPHANED_TRANSACTION_MS_MIN),
                timeout=limits.STORE_TRANSACTION_MS_MAX / 1000,
            )
        except BaseException:
            self._connections.discard(connection)
            raise
        self._connections.release(connection)
        return count
