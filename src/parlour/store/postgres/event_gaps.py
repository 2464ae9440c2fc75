"""The safe high-water mark of the event log, where several transactions write it concurrently.

**The problem.** PostgreSQL assigns a number when an event is inserted, not when it is committed.
So a reader can see event 12 before event 11 is committed, and a reader that continues after 12
never reads 11.

**The mark.** ``visible_through`` is a number up to which no event can be missing. A reader passes
an event if its number directly follows the last one (nothing can come between), or if every number
before it is at most the mark. At any other gap it stops and requests a refresh of the mark.

**A refresh** advances the mark without locks: it waits until every transaction that may have been
assigned a lower number has ended.

**Snapshots.** A reader may use only a mark that is older than its snapshot: a transaction that
committed in between has ended, but its events are not in the snapshot.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from parlour.store.postgres.connections import LOST
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncpg import Connection

    from parlour.store.postgres.connections import ConnectionPool

log = structlog.get_logger()

# Before the first call, last_value is the number that the sequence would assign.
LAST_NUMBER: Final = """
SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM event_sequence_seq
"""
NEW_ID: Final = "SELECT pg_current_xact_id()::text::bigint"
LAST_EVENT_UP_TO: Final = "SELECT MAX(sequence) FROM event WHERE sequence <= $1"
OLDEST_RUNNING: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

# Without it, a server that is unreachable blocks every reader until the kernel's TCP timeout.
_TIMEOUT_SECONDS: Final = limits.STORE_TRANSACTION_MS_MAX / 1000


def visible_count(visible_through: int, after: int, numbers: list[int]) -> int:
    """Return how many of these event numbers, which follow ``after``, are safe to pass.

    The mark ``visible_through`` must be older than the snapshot that the numbers are from.
    """
    last = after
    for count, number in enumerate(numbers):
        if number != last + 1 and number - 1 > visible_through:
            return count
        last = number
    return len(numbers)


# Invariants: the mark never decreases, and at most one refresh that readers requested is running.
class EventGaps:
    """The high-water mark as this process knows it."""

    def __init__(self, connections: ConnectionPool, on_advance: Callable[[], None]) -> None:
        """``on_advance`` is called after a refresh that was requested."""
        self._connections = connections
        self._on_advance = on_advance
        self._refresh_task: asyncio.Task[None] | None = None
        self.visible_through = 0

    def advance(self, number: int) -> None:
        """Raise the mark to a number that a reader has reached without a gap."""
        self.visible_through = max(self.visible_through, number)

    def request_refresh(self) -> None:
        """Start a refresh, unless one is running."""
        # One refresh serves every reader that stops at a gap in the meantime.
        if self._refresh_task is None or self._refresh_task.done():
            self._refresh_task = asyncio.create_task(self._refresh_and_notify())

    async def refresh(self) -> None:
        """Raise the mark to the last event that is committed now."""
        connection = await self._connections.acquire()
        try:
            self.advance(await _read_visible_through(connection))
        except BaseException:
            self._connections.discard(connection)
            raise
        self._connections.release(connection)

    async def _refresh_and_notify(self) -> None:
        try:
            await self.refresh()
        except (Busy, Unavailable, *LOST):
            log.warning("event_gap_refresh_failed", exc_info=True)
            return  # The next reader at the gap requests another one.
        self._on_advance()

    async def stop(self) -> None:
        """Cancel a refresh that is running."""
        if self._refresh_task is not None:
            self._refresh_task.cancel()
            await asyncio.gather(self._refresh_task, return_exceptions=True)


# Every write transaction has an id before it is assigned a number (``BEGIN_WRITING``), and the
# server reports which ids are still running:
#
# 1. read L, the last number that was assigned;
# 2. take a transaction id H;
# 3. wait until the oldest running transaction id is at least H;
# 4. the mark is the number of the last event up to L that exists now.
#
# A transaction that was assigned a number up to L has an id below H, so it has ended after step 3:
# each of these events is committed, or never will be. The mark is not L itself: numbers above the
# last event were rolled back, and the server may assign them again after a crash.
async def _read_visible_through(connection: Connection[Any]) -> int:
    """Return the mark."""
    last: int = await connection.fetchval(LAST_NUMBER, timeout=_TIMEOUT_SECONDS)
    own_id: int = await connection.fetchval(NEW_ID, timeout=_TIMEOUT_SECONDS)
    while True:  # Bounded: no transaction may last longer than a few seconds.
        oldest: int = await connection.fetchval(OLDEST_RUNNING, timeout=_TIMEOUT_SECONDS)
        if oldest >= own_id:
            found: int | None = await connection.fetchval(
                LAST_EVENT_UP_TO, last, timeout=_TIMEOUT_SECONDS
            )
            return found or 0
        await asyncio.sleep(limits.STORE_RETRY_MS / 1000)
