"""Lists that wait: ``Wait`` and ``MinCount``, for every list that declares ``wakes_on``.

A list with ``Wait`` is read; if it has fewer than ``MinCount`` rows, it waits for a topic that may
have changed it, and is read again, until it has enough rows or its time is over. A stream of events
(http/event_streams.py) waits in the same way. There are two kinds of topics:

- the name of an event. One task reads the event log for all waiting lists of this process, only
  while there are any, and wakes the lists of the event's account that wait for its name. The task
  is woken by commits of this process and hints of other nodes; a store that other processes share
  is also polled, in case a hint was lost.
- a topic of this process, for rows that have no event: the component that adds them publishes it.
  Where another process may have added them, lists are also woken at each poll.

A waiting list holds neither a work slot nor an admission slot, but a slot for waiting lists: beyond
``LIST_WAITS_PER_ACCOUNT_MAX`` it is refused with 429, beyond ``LIST_WAITS_MAX`` with 503.

States of a `ListWait`:

=========  =====================================  ==============================================
state      event                                  next
=========  =====================================  ==============================================
reading    enough rows, or the time is over       left
reading    too few rows                           waiting; notified, if a topic came in between
waiting    a topic of the list                    notified
notified   its next read is allowed               reading
waiting,   the time is over, or the server stops  reading, for the last time
notified
any        the client disconnects                 left: ``wait`` raises
=========  =====================================  ==============================================

Invariant: the position in the log is read before the list is read first, so no event after that
read is missed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from parlour.operations.admission import Admission
from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.store import event_log
from parlour.vocabulary import limits
from parlour.vocabulary.unset import Unset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock

log = structlog.get_logger()

REQUEST_RECORDED: Final = "request recorded"
"""The topic of the journal of requests, which each process has for itself."""
WEBHOOK_ATTEMPTED: Final = "webhook attempted"
"""The topic of the webhook log, which the process adds to that delivers."""
_POLLED: Final = frozenset({WEBHOOK_ATTEMPTED})
_OF_THIS_PROCESS: Final = frozenset({REQUEST_RECORDED})


class WaitParameters(Parameters):
    """The parameters of a list that waits: for how many seconds, and for how many rows."""

    wait: int | Unset = form_field(
        "Wait", parsers.integer(minimum=0, maximum=limits.LIST_WAIT_SECONDS_MAX)
    )
    min_count: int | Unset = form_field(
        "MinCount", parsers.integer(minimum=1, maximum=limits.PAGE_SIZE_MAX)
    )

    @property
    def rows_wanted(self) -> int:
        """Return the number of rows to wait for."""
        return 1 if isinstance(self.min_count, Unset) else self.min_count


class ListWaitAbandoned(Exception):  # noqa: N818 - named after the condition.
    """The client of a waiting list has disconnected."""


class ListWait:
    """One list that waits."""

    __slots__ = (
        "_ends_at",
        "_is_abandoned",
        "_is_notified",
        "_last_read_at",
        "_waiter",
        "account_sid",
        "is_ended",
        "member",
        "topics",
    )

    def __init__(self, account_sid: str, member: str | None, topics: frozenset[str]) -> None:
        self.account_sid = account_sid
        self.member = member
        self.topics = topics
        self.is_ended = False
        """Whether the server stops, or the account is reset."""
        self._ends_at: float | None = None
        self._last_read_at = asyncio.get_running_loop().time()
        self._is_notified = False
        self._is_abandoned = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return self._ends_at is not None and asyncio.get_running_loop().time() >= self._ends_at

    def start(self, seconds: float) -> None:
        """Set the end of the wait, unless it is set."""
        if self._ends_at is None:
            self._ends_at = asyncio.get_running_loop().time() + seconds

    def restart(self, seconds: float) -> None:
        """Set a new end of the wait, unless the server stops."""
        if not self.is_ended:
            self._ends_at = asyncio.get_running_loop().time() + seconds

    def notify(self) -> None:
        """Record that the list may have changed."""
        self._is_notified = True
        self._wake()

    def end(self) -> None:
        """End the wait now: the list is read again."""
        self.is_ended = True
        self._ends_at = asyncio.get_running_loop().time()
        self._wake()

    def abandon(self) -> None:
        """End the wait without a further read."""
        self._is_abandoned = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, interval_seconds: float) -> bool:
        """Return when the list has to be read again: whether it was notified.

        Raises ListWaitAbandoned. Two reads are at least ``interval_seconds`` apart, except for the
        last one.
        """
        # Futures and timers of the loop only: the request may run without a task (http/eager.py).
        loop = asyncio.get_running_loop()
        while True:  # Ends at the latest when the time is over.
            now = loop.time()
            assert self._ends_at is not None
            remaining = self._ends_at - now
            if self._is_notified:
                remaining = min(remaining, self._last_read_at + interval_seconds - now)
            if self._is_abandoned:
                raise ListWaitAbandoned
            if remaining <= 0:
                was_notified, self._is_notified = self._is_notified, False
                self._last_read_at = now
                return was_notified
            self._waiter = loop.create_future()
            timer = loop.call_later(remaining, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None


class WaitingLists:
    """The waiting lists of this process, and the task that wakes them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._admission = Admission(
            clock,
            in_all_max=limits.LIST_WAITS_MAX,
            of_account_max=limits.LIST_WAITS_PER_ACCOUNT_MAX,
        )
        self._waits: dict[str, set[ListWait]] = {}
        """By account."""
        self._count = 0
        self._hint = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._position: asyncio.Future[int] | None = None
        self._is_stopping = False

    @property
    def count(self) -> int:
        """The number of waiting lists."""
        return self._count

    @property
    def interval_seconds(self) -> float:
        """How far two reads of one list are apart at least."""
        return self._count / limits.LIST_REREADS_PER_SECOND_MAX

    def wake(self) -> None:
        """Hint that events may have been committed."""
        self._hint.set()

    @property
    def waits(self) -> Mapping[str, object]:
        """Return the accounts whose lists wait; empty without any."""
        return self._waits

    def publish(self, account_sid: str, topic: str) -> None:
        """Wake the lists of an account that wait for a topic of this process."""
        for wait in self._waits.get(account_sid, ()):
            if topic in wait.topics:
                wait.notify()

    def publish_attempts(self, account_sids: Iterable[str]) -> None:
        """Wake the lists of webhook attempts of these accounts."""
        for account_sid in account_sids:
            self.publish(account_sid, WEBHOOK_ATTEMPTED)

    def stop(self) -> None:
        """End all waits: each list is read again and answered."""
        self._is_stopping = True
        self._hint.set()
        for each in self._every_wait():
            each.end()

    def end_of(self, accounts: Callable[[str], bool]) -> None:
        """End the waits of some accounts: each list is read again and answered."""
        for each in self._every_wait():
            if accounts(each.account_sid):
                each.end()

    async def enter(self, account_sid: str, member: str | None, topics: frozenset[str]) -> ListWait:
        """Register a list before its first read. Raises ApiError 429 and 503, Unavailable."""
        self._admission.enter(account_sid, member)
        wait = ListWait(account_sid, member, topics)
        self._waits.setdefault(account_sid, set()).add(wait)
        self._count += 1
        if self._is_stopping:
            wait.end()
            return wait
        if topics <= _OF_THIS_PROCESS:
            return wait
        try:
            await self._ensure_running()
        except BaseException:
            self.leave(wait)
            raise
        return wait

    def leave(self, wait: ListWait) -> None:
        """Remove a list that was answered, or whose client has disconnected."""
        waits = self._waits[wait.account_sid]
        waits.remove(wait)
        if not waits:
            del self._waits[wait.account_sid]
        self._count -= 1
        self._admission.leave(wait.account_sid, wait.member)
        if not self._waits:
            self._hint.set()  # The task ends.

    async def _ensure_running(self) -> None:
        """Start the task if there is none, and wait until it has its position."""
        if self._task is None:
            self._position = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._run(self._position))
        assert self._position is not None
        if not self._position.done():
            # Shielded: one client that disconnects must not cancel the start for the others.
            await asyncio.shield(self._position)
        self._position.result()

    async def _run(self, started: asyncio.Future[int]) -> None:
        try:
            position = await self._store.read(event_log.visible_through)
        except Exception as error:  # noqa: BLE001 - each waiting request raises it.
            self._task = None
            started.set_exception(error)
            started.exception()  # Retrieved, as the waiters may have been cancelled.
            return
        started.set_result(position)
        while self._waits and not self._is_stopping:
            # Cleared before the read: a hint during the read causes another one.
            self._hint.clear()
            try:
                position, is_more = await self._notify(position)
            except Exception:
                log.exception("list_wait_failed")
                is_more = False
            if not is_more and not await self._pause():
                self._notify_polled()
        self._task = None

    async def _notify(self, position: int) -> tuple[int, bool]:
        """Wake the lists that the next events may have changed; return the new position."""
        count = limits.EVENTS_PER_BATCH_MAX
        found = await self._store.read(lambda tx: event_log.names_after(tx, position, count))
        for account_sid, name in {(account_sid, name) for _, account_sid, name in found}:
            self.publish(account_sid, name)
        return (found[-1][0] if found else position), len(found) == count

    def _notify_polled(self) -> None:
        """Wake the lists whose rows another process may have added without an event."""
        for wait in self._every_wait():
            if not wait.topics.isdisjoint(_POLLED):
                wait.notify()

    def _every_wait(self) -> list[ListWait]:
        return [wait for waits in self._waits.values() for wait in waits]

    async def _pause(self) -> bool:
        """Wait for a hint; a shared store is also polled. Return whether there was a hint."""
        if not self._store.is_shared:
            return await self._hint.wait()
        try:
            async with asyncio.timeout(limits.DISPATCH_POLL_MS / 1000):
                return await self._hint.wait()
        except TimeoutError:
            return False
