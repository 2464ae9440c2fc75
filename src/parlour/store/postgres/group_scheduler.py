"""Which actions share a group, and how many groups run at once (PostgreSQL).

Actions wait by account and conversation. A group takes actions of one account, since a transaction
names the account whose rows it sees: of each conversation those at the head of its queue that are
apart. While a group runs, its conversations are taken by no other group of this process, which
would only wait for its locks; the group itself takes what has come for them meanwhile, as long as
it is young. So a busy conversation shares commits too.

An account has one group at a time: what arrives meanwhile makes the next one large, and large ones
cost less for each action. Only if a group takes long, since it waits for a lock, is another begun.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from parlour.store.transaction import Busy
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    from parlour.store.postgres.group import PendingAction

    More = Callable[[], list[PendingAction]]
    Run = Callable[[str, list[PendingAction], More], Awaitable[None]]


class GroupQueue:
    """Actions of all accounts that wait; none is passed by a later one of its conversation."""

    def __init__(self) -> None:
        self._accounts: dict[str, dict[str, deque[PendingAction]]] = {}
        self._held: set[tuple[str, str]] = set()
        self.count = 0

    def add(self, account_sid: str, waiting: PendingAction) -> None:
        """Put an action behind the others of its conversation."""
        conversations = self._accounts.setdefault(account_sid, {})
        sid = waiting.conflict_scope.conversation_sid
        if sid not in conversations:
            conversations[sid] = deque(maxlen=limits.QUEUE_ACTIONS_MAX)
        conversations[sid].append(waiting)
        self.count += 1

    def take(self, may_begin: Callable[[str], bool]) -> tuple[str, list[PendingAction]] | None:
        """The actions of the next group, whose conversations are held then; and whose they are."""
        for account_sid, conversations in self._accounts.items():
            if not may_begin(account_sid):
                continue
            free = [each for each in conversations if (account_sid, each) not in self._held]
            if free:
                taken = self.take_of(account_sid, free)
                self._held.update(
                    (account_sid, each.conflict_scope.conversation_sid) for each in taken
                )
                # Whose turn it was is last now.
                if (rest := self._accounts.pop(account_sid, None)) is not None:
                    self._accounts[account_sid] = rest
                return account_sid, taken
        return None

    def take_of(self, account_sid: str, wanted: Iterable[str]) -> list[PendingAction]:
        """Actions of these conversations that are apart, up to the size of a group."""
        conversations = self._accounts.get(account_sid, {})
        taken: list[PendingAction] = []
        for sid in wanted:
            waiting = conversations.pop(sid, None)
            if waiting is None:
                continue
            taken += _heads(waiting, limits.GROUP_ACTIONS_MAX - len(taken))
            if waiting:
                conversations[sid] = waiting
        if not conversations:
            self._accounts.pop(account_sid, None)
        self.count -= len(taken)
        return taken

    def release(self, account_sid: str, conversations: Iterable[str]) -> None:
        """Nobody holds these conversations any more."""
        self._held.difference_update((account_sid, each) for each in conversations)


def _heads(waiting: deque[PendingAction], room: int) -> list[PendingAction]:
    """Take from the head of one conversation's queue what may run side by side."""
    taken: list[PendingAction] = []
    subjects: set[str] = set()
    while waiting and len(taken) < room:
        conflict_scope = waiting[0].conflict_scope
        if taken and (
            conflict_scope.subject_sid in subjects
            or not conflict_scope.is_disjoint_from(taken[0].conflict_scope)
        ):
            break
        subjects.add(conflict_scope.subject_sid)
        taken.append(waiting.popleft())
    return taken


class GroupScheduler:
    """Has groups formed and run, so many at once."""

    def __init__(self, run: Run, size: int) -> None:
        """``run`` carries a group to its end and answers it; it takes more while it is young."""
        assert size > 0
        self._run = run
        self._size = size
        self._backlog = GroupQueue()
        self._running: set[asyncio.Task[None]] = set()
        # When the newest group of an account began that is running.
        self._begun: dict[str, float] = {}
        self._is_starting = False
        self._later: asyncio.Handle | None = None

    def join(self, account_sid: str, waiting: PendingAction) -> asyncio.Future[Any]:
        """Have an action run in a group; its answer. Raises ``Busy``."""
        if self._backlog.count >= limits.QUEUE_ACTIONS_MAX:
            raise Busy
        self._backlog.add(account_sid, waiting)
        if not self._is_starting and len(self._running) < self._size:
            # Not at once: whoever is ready in this turn of the loop joins the same group.
            self._is_starting = True
            asyncio.get_running_loop().call_soon(self._start)
        return waiting.answer

    def _start(self) -> None:
        """Begin every group that may begin; come again if one may not yet."""
        self._is_starting = False
        loop = asyncio.get_running_loop()
        while len(self._running) < self._size and (taken := self._backlog.take(self._may_begin)):
            account_sid, first = taken
            self._begun[account_sid] = loop.time()
            task = asyncio.create_task(self._carry(account_sid, first))
            self._running.add(task)
            task.add_done_callback(self._ended)
        if self._later is not None:
            self._later.cancel()
        waits = self._backlog.count > 0
        patience = limits.GROUP_PATIENCE_MS / 1000
        self._later = loop.call_later(patience, self._start) if waits else None

    def _may_begin(self, account_sid: str) -> bool:
        begun = self._begun.get(account_sid)
        now = asyncio.get_running_loop().time()
        return begun is None or now - begun >= limits.GROUP_PATIENCE_MS / 1000

    async def _carry(self, account_sid: str, first: list[PendingAction]) -> None:
        begun = self._begun[account_sid]
        held = dict.fromkeys(each.conflict_scope.conversation_sid for each in first)
        try:
            await self._run(account_sid, first, lambda: self._backlog.take_of(account_sid, held))
        finally:
            self._backlog.release(account_sid, held)
            if self._begun.get(account_sid) == begun:
                del self._begun[account_sid]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def close(self) -> None:
        """Finish what is queued."""
        while self._running or self._backlog.count:
            await asyncio.gather(*self._running, return_exceptions=True)
            await asyncio.sleep(0)
