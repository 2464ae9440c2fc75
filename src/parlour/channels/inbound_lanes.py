"""Lanes of the inbox: which message is processed next, and by which node.

A lane is a binding, or the numbers of a group. Its messages are processed one after the other, in
the order in which they were accepted on any node; lanes are independent. Each message is claimed by
one node until its ``due_ms``: from the insert on by the node that accepted it, after that by the
node that finds it due. So after a crash of a node, another one continues once the claim has ended.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from parlour.operations.open_work import OpenWork
from parlour.resources.inbox import store as inbox_store
from parlour.resources.inbox.store import DueLane
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from parlour.resources.inbox.store import InboundKey, InboxEntry
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock

log = structlog.get_logger()

_POLL_SECONDS: Final = limits.INBOX_LANE_POLL_MS / 1000


class AccountSlots:
    """Bounds concurrent work: for each account, so that one account never uses up all of it."""

    def __init__(self, of_account_max: int) -> None:
        self._of_account_max = of_account_max
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()

    async def run(self, account_sid: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run work once the account has a free slot."""
        self._users[account_sid] += 1
        slots = self._slots.setdefault(account_sid, asyncio.Semaphore(self._of_account_max))
        try:
            async with slots:
                await work()
        finally:
            self._users[account_sid] -= 1
            if not self._users[account_sid]:
                del self._users[account_sid], self._slots[account_sid]


# What a lane does next, by its first pending message:
#
#   first message                      next
#   ---------------------------------  ----------------------------------------------------
#   none                               ends
#   claimed by this node               processed; without success its claim is given up
#   due: of no node, or of a dead one  claimed
#   claimed by another node, deferred  waits, if a later message is claimed by this node;
#                                      else ends, and the sweep starts it again
class InboundLanes:
    """The lanes of this node: one task for each lane that has messages."""

    def __init__(
        self, store: Store, clock: Clock, process: Callable[[InboxEntry], Awaitable[None]]
    ) -> None:
        """``process`` processes or defers a message; it is called for one of a lane at a time."""
        self._store = store
        self._clock = clock
        self._process = process
        self._slots = AccountSlots(limits.INBOX_LANES_PER_ACCOUNT_MAX)
        self._tasks: dict[DueLane, asyncio.Task[None]] = {}
        self._again: set[DueLane] = set()
        self._claimed: dict[InboundKey, DueLane] = {}
        self._claims: Counter[DueLane] = Counter()
        self._stopping = False

    @property
    def running(self) -> int:
        """Return how many lanes have a task."""
        return len(self._tasks)

    def open_work(self) -> Iterator[OpenWork]:
        """Return the lanes that have a task."""
        for each in self._tasks:
            yield OpenWork(f"inbound message of {each.lane}", each.account_sid)

    def schedule(self, key: InboundKey, lane: str) -> None:
        """Process a lane, one of whose messages this node has claimed."""
        found = DueLane(key.account_sid, lane)
        if key not in self._claimed:
            self._claimed[key] = found
            self._claims[found] += 1
        self._again.add(found)
        if found not in self._tasks and not self._stopping:
            self._tasks[found] = asyncio.create_task(self._run(found), name="inbound lane")

    async def drop(self, accounts: Callable[[str], bool]) -> None:
        """Cancel the lanes of some accounts, and release their claims: their rows are replaced."""
        lanes = [lane for lane in self._tasks if accounts(lane.account_sid)]
        tasks = [self._tasks[lane] for lane in lanes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane, task in zip(lanes, tasks, strict=True):
            if self._tasks.get(lane) is task:  # Cancelled before its first step.
                del self._tasks[lane]
                self._again.discard(lane)
        for key in [key for key in self._claimed if accounts(key.account_sid)]:
            self._release(key)

    async def stop(self) -> None:
        """Stop after the messages in progress; what remains is claimed again by another process."""
        self._stopping = True
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=limits.DRAIN_SECONDS_MAX)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, lane: DueLane) -> None:
        try:
            while lane in self._again and not self._stopping:
                self._again.discard(lane)
                try:
                    await self._drain(lane)
                except Exception:
                    # The store is unavailable. Another attempt follows once a claim has ended.
                    log.exception("inbound_lane_failed", account_sid=lane.account_sid)
                    await asyncio.sleep(limits.INBOX_RETRY_MS / 1000)
        finally:
            self._again.discard(lane)
            del self._tasks[lane]

    async def _drain(self, lane: DueLane) -> None:
        """Process the messages of a lane that this node may process."""
        while not self._stopping:
            first = await self._first(lane)
            if first is None:
                self._release_lane(lane)
                return
            if first.key in self._claimed or await self._claim(first, lane):
                await self._slots.run(lane.account_sid, partial(self._one, first))
            elif self._claims[lane]:
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return

    async def _one(self, entry: InboxEntry) -> None:
        try:
            await self._process(entry)
        finally:
            self._release(entry.key)

    async def _first(self, lane: DueLane) -> InboxEntry | None:
        return await self._store.read(
            lambda tx: inbox_store.find_first_of_lane(tx, Scope(lane.account_sid), lane.lane),
            account_sid=lane.account_sid,
        )

    async def _claim(self, entry: InboxEntry, lane: DueLane) -> bool:
        """Claim a message if it is due and no other node was first."""
        if entry.due_ms is None or entry.due_ms > self._clock.now_ms():
            return False

        async def claim(tx: Transaction) -> bool:
            return await inbox_store.claim_entry(
                tx,
                Scope(entry.account_sid),
                entry.key,
                due_ms=entry.due_ms,
                until_ms=tx.now + limits.INBOX_CLAIM_MS,
            )

        if not await self._store.write(claim, account_sid=entry.account_sid):
            return False
        self._claimed[entry.key] = lane
        self._claims[lane] += 1
        return True

    def _release(self, key: InboundKey) -> None:
        lane = self._claimed.pop(key, None)
        if lane is not None:
            self._claims[lane] -= 1
            if not self._claims[lane]:
                del self._claims[lane]

    def _release_lane(self, lane: DueLane) -> None:
        """Release claims of messages that another node has processed."""
        if not self._claims[lane]:
            return
        for key in [key for key, each in self._claimed.items() if each == lane]:
            self._release(key)
