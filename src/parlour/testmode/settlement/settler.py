"""The settler: waits until everything that was caused has happened.

Settled means all at once: no write queued or in commit; every sink at the end of the event log; no
job due; no webhook or carrier request in flight, and none due; no pre-action webhook called; the
event feed at the end of the log, and the outbox of every socket empty.

| state    | event                                                       | next                   |
|----------|-------------------------------------------------------------|------------------------|
| checking | something is open                                           | waiting                |
| checking | nothing is open                                             | confirming             |
| waiting  | a commit, or a delay of 1 to 16 ms                          | checking               |
| waiting  | the timeout                                                 | the result: not settled|
| confirming | nothing is open, and nothing was committed in between     | the result: settled    |
| confirming | otherwise                                                 | waiting                |

A check never suspends, so it sees one moment. Between the end of one step and the start of the next
a task may be ready to run, and known nowhere: the second check comes after turns of the event loop
in which all such tasks have run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.operations.open_work import OpenWork
from parlour.store import event_log
from parlour.store.transaction import ALL_ACCOUNTS
from parlour.testmode.settlement import due_rows
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from parlour.dispatch.dispatcher import Dispatcher
    from parlour.operations.scheduler import Scheduler
    from parlour.realtime.event_feed import EventFeed
    from parlour.store.sqlite.engine import SqliteStore
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.clock import Clock

_CONFIRM_TURNS: Final = 8
"""A finished task wakes its waiter in the next turn; no chain of waiters is longer."""
_POLL_MS_MIN: Final = 1


class Settlement(NamedTuple):
    """The result of a settlement. ``waiting_for``: the work that was open at its end."""

    settled: bool
    waiting_for: tuple[str, ...]
    elapsed_ms: int


class SettledParts(NamedTuple):
    """The parts of a server that have to be settled.

    ``sources`` return the work that each part has in progress. ``nudge`` starts due work.
    """

    store: SqliteStore
    clock: Clock
    scheduler: Scheduler
    dispatcher: Dispatcher
    event_feed: EventFeed
    sources: Sequence[Callable[[], Iterable[OpenWork]]]
    nudge: Callable[[], None]


class Settler:
    """Waits for the end of all work, or of the work of one account."""

    def __init__(self, parts: SettledParts) -> None:
        self._parts = parts
        self._commits = 0
        self._waiters: set[asyncio.Event] = set()
        parts.store.on_group_end(self._committed)

    def wake(self) -> None:
        """Check again: some work has ended."""
        for each in self._waiters:
            each.set()

    def _committed(self) -> None:
        self._commits += 1
        self.wake()

    async def settle(self, timeout_ms: int, account_sid: str | None = None) -> Settlement:
        """Wait until nothing is left to happen at the present date of the clock."""
        clock = self._parts.clock
        started_ms = clock.monotonic_ms()
        poll_ms = _POLL_MS_MIN
        changed = asyncio.Event()
        self._waiters.add(changed)
        try:
            while True:
                changed.clear()
                work = await self.open_work(account_sid)
                if not work and await self._is_confirmed(account_sid):
                    return self._result(started_ms, ())
                left_ms = started_ms + timeout_ms - clock.monotonic_ms()
                if left_ms <= 0:
                    return self._result(started_ms, work or await self.open_work(account_sid))
                self._parts.nudge()
                was_woken = await _wait(changed, min(poll_ms, left_ms))
                poll_ms = _POLL_MS_MIN if was_woken else min(2 * poll_ms, limits.SETTLE_POLL_MS_MAX)
        finally:
            self._waiters.discard(changed)

    async def _is_confirmed(self, account_sid: str | None) -> bool:
        """Check again after all tasks that were ready have run."""
        commits = self._commits
        for _ in range(_CONFIRM_TURNS):
            await asyncio.sleep(0)
        # Commits for other accounts do not matter.
        if account_sid is None and commits != self._commits:
            return False
        return not await self.open_work(account_sid)

    def _result(self, started_ms: float, work: Iterable[OpenWork]) -> Settlement:
        now_ms = self._parts.clock.monotonic_ms()
        names = dict.fromkeys(_described(each, now_ms) for each in work)
        waiting_for = tuple(names)[: limits.SETTLE_WAITING_FOR_MAX]
        return Settlement(not waiting_for, waiting_for, round(now_ms - started_ms))

    # --- Open work ----------------------------------------------------------------------------

    async def open_work(self, account_sid: str | None = None) -> list[OpenWork]:
        """Return all open work, or the work that may concern one account."""
        parts = self._parts
        found = [each for source in parts.sources for each in source()]
        if account_sid is not None:
            found = [each for each in found if each.account_sid in {"", account_sid}]
        if writes := parts.store.unfinished_actions(account_sid or ALL_ACCOUNTS):
            found.append(OpenWork(f"{writes} writes", ""))
        # Rows have less information than the work on them, and cost more to read.
        return found or await parts.store.read(lambda tx: self._open_rows(tx, account_sid))

    async def _open_rows(self, tx: Transaction, account_sid: str | None) -> list[OpenWork]:
        parts, now_ms = self._parts, self._parts.clock.now_ms()
        names = [
            f"due {each.what}"
            for each in await due_rows.next_rows(tx, account_sid)
            if each.at_ms <= now_ms
        ]
        for due_ms, job in await parts.scheduler.due_times(tx):
            # Rows that no client sees may be of other accounts.
            if due_ms <= now_ms and not (job.is_upkeep and account_sid is not None):
                names.append(f"job {job.name}")
        if account_sid is None and parts.scheduler.is_running:
            names.append("jobs")
        readers = {f"sink {name}": at for name, at in parts.dispatcher.positions().items()}
        if parts.event_feed.is_running:
            readers["event feed"] = parts.event_feed.position
        for name, position in readers.items():
            if await _has_events_after(tx, account_sid, position):
                names.append(name)
        return [OpenWork(name, "") for name in names]


async def _has_events_after(tx: Transaction, account_sid: str | None, position: int) -> bool:
    if account_sid is None:
        return await event_log.newest_sequence(tx) > position
    return await due_rows.has_events_after(tx, account_sid, position)


async def _wait(event: asyncio.Event, milliseconds: float) -> bool:
    """Wait for an event, at most this long; return whether it is set."""
    try:
        async with asyncio.timeout(milliseconds / 1000):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _described(work: OpenWork, now_ms: float) -> str:
    if work.since_ms is None:
        return work.what
    return f"{work.what}, {(now_ms - work.since_ms) / 1000:.1f} s"
