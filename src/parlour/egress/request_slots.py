"""Who may send an outbound request, or look up a name, next: accounts in turn, then their targets.

A turn is a place of a max-min fair total (`operations/fair_shares.py`). Requests without one wait,
and those waiting for one target of one account go in the order in which they came. The wait of one
account does not depend on how many of another's wait, as each is counted for itself.

| state of a request | becomes | when                                                         |
|--------------------|---------|--------------------------------------------------------------|
| new                | running | there is a place for its account and target                  |
| new                | waiting | otherwise                                                    |
| waiting            | running | a place is given back, and it is its turn                    |
| waiting            | ended   | its time is over, or it is cancelled                         |
| running            | ended   | ``release``                                                |
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from parlour.operations.fair_shares import UNLIMITED, FairShares

if TYPE_CHECKING:
    from collections.abc import Hashable

    from parlour.operations.fair_shares import Share


class RequestSlots:
    """A number of places, and who waits for one."""

    def __init__(self, limit: int) -> None:
        """``limit``: of all accounts together; one alone has half of it."""
        self._places = FairShares(limit)
        self._each = max(1, limit // 2)
        self._waiting: dict[Share, deque[asyncio.Future[None]]] = {}

    async def acquire(
        self, account_sid: str, target: Hashable, timeout_ms: int, per_target: int = UNLIMITED
    ) -> Share:
        """A place, to be given back. Raises TimeoutError if there is none within the time."""
        account = self._places.child(account_sid, self._each, greed=1)
        share = account.child(target, per_target)
        if share not in self._waiting and share.room > 0:
            share.occupy()
            return share
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # tidy: bounded - by the requests in flight and their time
        self._waiting.setdefault(share, deque()).append(granted)
        share.want(True)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await granted
        except BaseException:
            if granted.done() and not granted.cancelled():
                self.release(share)  # It was given in the moment in which the time was over.
            else:
                self._give_up(share, granted)
            raise
        return share

    def release(self, share: Share) -> None:
        """Give a place to those who wait."""
        share.release()
        share.discard()
        while (leaf := self._places.next()) is not None:
            granted = self._waiting[leaf].popleft()
            # Otherwise it was cancelled in this turn of the loop, and will give up in the next.
            if not granted.done():
                leaf.occupy()
                granted.set_result(None)
            self._forget_empty(leaf)

    def _give_up(self, share: Share, granted: asyncio.Future[None]) -> None:
        queue = self._waiting.get(share)
        if queue is not None and granted in queue:
            queue.remove(granted)
            self._forget_empty(share)

    def _forget_empty(self, share: Share) -> None:
        """Remove a target without waiters."""
        if not self._waiting[share]:
            del self._waiting[share]
            share.want(False)
            share.discard()
