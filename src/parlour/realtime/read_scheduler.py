"""Scheduler of heavy reads: one per turn of the event loop, fair among accounts and users.

On the embedded engine a read runs in the event loop without interruption. A page of items or a
step of a replay takes some milliseconds, and one client may request dozens of them in one segment.
So one of them runs per turn of the loop (several concurrently on a shared engine). The others are
queued round-robin by account and user (``operations/round_robin.py``).
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


# The queue is bounded: at most one read per request in flight is queued, SOCKET_REQUESTS_MAX for a
# connection.
class ReadScheduler:
    """The slots for heavy reads of one process."""

    def __init__(self, concurrency: int = 1) -> None:
        self._concurrency = self._free = concurrency
        self._queue: RoundRobin[asyncio.Future[None]] = RoundRobin()

    @asynccontextmanager
    async def slot(self, account_sid: str, identity: str) -> AsyncIterator[None]:
        """Wait for a slot, and occupy it for one read."""
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(account_sid, identity)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            yield
        finally:
            # Deferred, or the next read would run in the same turn. After a long read other work
            # gets as much time, since it may need several turns.
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
            # Granted just before the cancellation: pass the slot to the next waiter.
            if waiter.done() and not waiter.cancelled():
                self._grant_next()
            raise

    def _grant_next(self) -> None:
        """Pass the slot to the next queued read, or free it."""
        while self._queue.size:
            waiter = self._queue.pop()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
