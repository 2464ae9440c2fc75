"""How far the event log is complete, where several transactions write it at once.

PostgreSQL gives a number when an event is written, not when it is committed, so a reader can see
12 before 11 is there, and who goes on after 12 has missed 11 for ever. What helps: every writing
transaction has an id before it takes a number, and the server says which ids are still running.

A number that follows the one before is safe to pass: nothing can come between. At a gap the
reader stops, and a *look* settles it: read the last number that was given (L), then take an id
(H), then wait until the oldest running transaction is not below H. Whoever took a number up to L
had an id below H, so it has ended by then: every number up to L is there, or never will be. What
is settled is everything up to the last event that is there then, and not up to L: numbers behind
it were given for nothing, and a crash may give them again.

A reader may only pass what was settled before its snapshot was taken: a transaction that committed
in between is ended, but not in the snapshot.
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

# Before the first, the sequence shows the number that it would give.
LAST_NUMBER: Final = """
SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM event_sequence_seq
"""
NEW_ID: Final = "SELECT pg_current_xact_id()::text::bigint"
LAST_KEPT: Final = "SELECT MAX(sequence) FROM event WHERE sequence <= $1"
OLDEST_RUNNING: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

# A server that went away in silence must not hold up every reader until the kernel notices.
_ANSWER_SECONDS: Final = limits.STORE_TRANSACTION_MS_MAX / 1000


def visible_count(visible_through: int, after: int, numbers: list[int]) -> int:
    """How many of these numbers, which follow ``after``, may be passed.

    Everything up to ``visible_through`` was settled before they were read.
    """
    last = after
    for count, number in enumerate(numbers):
        if number != last + 1 and number - 1 > visible_through:
            return count
        last = number
    return len(numbers)


class EventGaps:
    """What one process knows of how far the log is complete."""

    def __init__(self, connections: ConnectionPool, on_advance: Callable[[], None]) -> None:
        """``on_advance`` is called when more is known than before."""
        self._connections = connections
        self._on_advance = on_advance
        self._refreshing: asyncio.Task[None] | None = None
        self.visible_through = 0

    def advance(self, number: int) -> None:
        """A reader that missed nothing has come this far."""
        self.visible_through = max(self.visible_through, number)

    def request_refresh(self) -> None:
        """A reader stands before a gap."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh_and_notify())

    async def refresh(self) -> None:
        """Know how far the log is complete now."""
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
            return  # Whoever reads next asks again.
        self._on_advance()

    async def stop(self) -> None:
        """Look no more."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)


async def _read_visible_through(connection: Connection[Any]) -> int:
    """The last event that is there once all who were given a number so far have ended."""
    last: int = await connection.fetchval(LAST_NUMBER, timeout=_ANSWER_SECONDS)
    mark: int = await connection.fetchval(NEW_ID, timeout=_ANSWER_SECONDS)
    while True:  # Ends soon: no transaction may take longer than a few seconds.
        oldest: int = await connection.fetchval(OLDEST_RUNNING, timeout=_ANSWER_SECONDS)
        if oldest >= mark:
            kept: int | None = await connection.fetchval(LAST_KEPT, last, timeout=_ANSWER_SECONDS)
            return kept or 0
        await asyncio.sleep(limits.STORE_RETRY_MS / 1000)
