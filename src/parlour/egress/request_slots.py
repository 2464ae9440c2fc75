"""Slots for outbound requests and name lookups, allocated max-min fair to accounts and targets.

Requests without a slot wait, in FIFO order for one target of one account
(`operations/fair_shares.py`). The waiting time of an account does not depend on the number of
waiting requests of other accounts.
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
    """A bounded number of slots, and the queues of requests that wait for one."""

    # States of a request:
    #
    #   state    becomes  when
    #   new      running  a slot is free for its account and target
    #   new      waiting  otherwise
    #   waiting  running  a slot is released, and it is next
    #   waiting  ended    its timeout expired, or it was cancelled
    #   running  ended    ``release``
    #
    # Invariant: ``_waiting`` has no empty queues; a share demands a slot while it has a queue.

    def __init__(self, limit: int) -> None:
        """``limit``: of all accounts together; a single account gets half of it."""
        self._shares = FairShares(limit)
        self._each = max(1, limit // 2)
        self._waiting: dict[Share, deque[asyncio.Future[None]]] = {}

    async def acquire(
        self, account_sid: str, target: Hashable, timeout_ms: int, per_target: int = UNLIMITED
    ) -> Share:
        """Return a slot, to be released. Raises TimeoutError if none is free in time."""
        account = self._shares.child(account_sid, self._each, greed=1)
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
                self.release(share)  # It was granted at the moment of the timeout.
            else:
                self._give_up(share, granted)
            raise
        return share

    def release(self, share: Share) -> None:
        """Release a slot and grant the free slots to the next waiting requests."""
        share.release()
        share.discard()
        while (leaf := self._shares.next()) is not None:
            granted = self._waiting[leaf].popleft()
            # Otherwise it was cancelled in this iteration of the event loop; skip it.
            if not granted.done():
                leaf.occupy()
                granted.set_result(None)
            self._remove_empty(leaf)

    def _give_up(self, share: Share, granted: asyncio.Future[None]) -> None:
        queue = self._waiting.get(share)
        if queue is not None and granted in queue:
            queue.remove(granted)
            self._remove_empty(share)

    def _remove_empty(self, share: Share) -> None:
        """Remove a target without waiters."""
        if not self._waiting[share]:
            del self._waiting[share]
            share.want(False)
            share.discard()
