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

from parlour.store.connections import LOST
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncpg import Connection

    from parlour.store.connections import Connections

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


def settled_count(known: int, after: int, numbers: list[int]) -> int:
    """How many of these numbers, which follow ``after``, may be passed.

    Everything up to ``known`` was settled before they were read.
    """
    last = after
    for count, number in enumerate(numbers):
        if number != last + 1 and number - 1 > known:
            return count
        last = number
    return len(numbers)


class Settling:
    """What one process knows of how far the log is complete."""

    def __init__(self, connections: Connections, settled: Callable[[], None]) -> None:
        """``settled`` is called when more is known than before."""
        self._connections = connections
        self._settled = settled
        self._look: asyncio.Task[None] | None = None
        self.known = 0

    def found(self, number: int) -> None:
        """A reader that missed nothing has come this far."""
        self.known = max(self.known, number)

    def ask(self) -> None:
        """A reader stands before a gap."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._settle())

    async def begin(self) -> None:
        """Know how far the log is complete now."""
        connection = await self._connections.take()
        try:
            self.found(await _settled_by_now(connection))
        except BaseException:
            self._connections.drop(connection)
            raise
        self._connections.give_back(connection)

    async def _settle(self) -> None:
        try:
            await self.begin()
        except (Busy, Unavailable, *LOST):
            log.warning("event_log_not_settled", exc_info=True)
            return  # Whoever reads next asks again.
        self._settled()

    async def stop(self) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.cancel()
            await asyncio.gather(self._look, return_exceptions=True)


async def _settled_by_now(connection: Connection[Any]) -> int:
    """The last event that is there once all who were given a number so far have ended."""
    last: int = await connection.fetchval(LAST_NUMBER, timeout=_ANSWER_SECONDS)
    mark: int = await connection.fetchval(NEW_ID, timeout=_ANSWER_SECONDS)
    while True:  # Ends soon: no transaction may take longer than a few seconds.
        oldest: int = await connection.fetchval(OLDEST_RUNNING, timeout=_ANSWER_SECONDS)
        if oldest >= mark:
            kept: int | None = await connection.fetchval(LAST_KEPT, last, timeout=_ANSWER_SECONDS)
            return kept or 0
        await asyncio.sleep(limits.STORE_RETRY_MS / 1000)
