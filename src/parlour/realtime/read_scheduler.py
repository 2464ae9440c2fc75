"""Turns for heavy reads: one of them in one turn of the event loop, fair among accounts and users.

On the embedded engine a read is done in one go, in the event loop. A page of items or a step of
a replay takes some milliseconds, and one client may ask for dozens of them in one segment. So
only one of them runs in one turn of the loop (a few at once on a shared engine). Those that wait
are served round-robin by account, inside an account by user, and a user's own in order,
whatever number of them each has.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from parlour.operations.round_robin import RoundRobin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LONG_SECONDS: Final = 0.0005
_PAUSE_SECONDS_MAX: Final = 0.020


class ReadScheduler:
    """The turns of one process.

    At most one read of each request in work waits here: SOCKET_REQUESTS_MAX for a connection.
    """

    def __init__(self, concurrency: int = 1) -> None:
        self._concurrency = self._free = concurrency
        self._queue: RoundRobin[asyncio.Future[None]] = RoundRobin()

    @asynccontextmanager
    async def slot(self, account_sid: str, identity: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it for one read."""
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(account_sid, identity)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            yield
        finally:
            # Not at once: what is done in one go would be followed by the next in the same turn.
            # And after a long one others have as much time, since they may need several turns.
            seconds = loop.time() - begin
            if self._concurrency == 1 and seconds > _LONG_SECONDS:
                loop.call_later(min(seconds, _PAUSE_SECONDS_MAX), self._grant_next)
            else:
                loop.call_soon(self._grant_next)

    async def _wait(self, account_sid: str, identity: str) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._queue.push(account_sid, identity, waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._grant_next()
            raise

    def _grant_next(self) -> None:
        """Give the turn to the next read that waits."""
        while self._queue.size:
            waiter = self._queue.pop()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
