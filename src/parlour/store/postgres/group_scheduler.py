"""Which actions share a group, and how many groups run concurrently (PostgreSQL).

``GroupQueue`` holds the queued actions by account and conversation, FIFO in each conversation. A
group takes actions of one account, since a transaction sees the rows of one account
(``schema.py``): from the head of each conversation's queue, those with disjoint conflict scopes.

States of a conversation in this process:

| state    | what holds                | next state, and its cause                             |
|----------|---------------------------|-------------------------------------------------------|
| idle     | no queue, no group        | queued: an action was enqueued                        |
| queued   | a queue, no group         | running: a group took its head                        |
| running  | one group has taken it    | idle or queued: the group has ended                   |

While a group runs, no other group of this process takes its conversations, which would only wait
for its row locks. The group itself takes their new actions while it is young (``GROUP_MS_MAX``), so
a busy conversation shares commits too.

An account has one group at a time: actions that arrive in the meantime make the next group larger,
and larger groups cost less per action. Only if a group takes longer than ``GROUP_PATIENCE_MS``,
such as when it waits for a lock, another one is started.
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
    """Queued actions of all accounts, FIFO within each conversation."""

    def __init__(self) -> None:
        self._accounts: dict[str, dict[str, deque[PendingAction]]] = {}
        self._running: set[tuple[str, str]] = set()
        self.count = 0

    def add(self, account_sid: str, action: PendingAction) -> None:
        """Append an action to the queue of its conversation."""
        conversations = self._accounts.setdefault(account_sid, {})
        sid = action.conflict_scope.conversation_sid
        if sid not in conversations:
            conversations[sid] = deque(maxlen=limits.QUEUE_ACTIONS_MAX)
        conversations[sid].append(action)
        self.count += 1  # Of all accounts: bounds the memory of the queue.

    def take(self, may_start: Callable[[str], bool]) -> tuple[str, list[PendingAction]] | None:
        """Take the next group: return its account and actions, and mark its conversations."""
        for account_sid, conversations in self._accounts.items():
            if not may_start(account_sid):
                continue
            free = [each for each in conversations if (account_sid, each) not in self._running]
            if free:
                taken = self.take_from(account_sid, free)
                self._running.update(
                    (account_sid, each.conflict_scope.conversation_sid) for each in taken
                )
                # Round robin: the account moves to the end.
                if (rest := self._accounts.pop(account_sid, None)) is not None:
                    self._accounts[account_sid] = rest
                return account_sid, taken
        return None

    def take_from(self, account_sid: str, conversation_sids: Iterable[str]) -> list[PendingAction]:
        """Take disjoint actions of these conversations, up to the size of a group."""
        conversations = self._accounts.get(account_sid, {})
        taken: list[PendingAction] = []
        for sid in conversation_sids:
            actions = conversations.pop(sid, None)
            if actions is None:
                continue
            taken += _disjoint_heads(actions, limits.GROUP_ACTIONS_MAX - len(taken))
            # The rest moves to the end: conversations of an account take turns, too.
            if actions:
                conversations[sid] = actions
        if not conversations:
            self._accounts.pop(account_sid, None)
        self.count -= len(taken)
        return taken

    def release(self, account_sid: str, conversation_sids: Iterable[str]) -> None:
        """Let other groups take these conversations again."""
        self._running.difference_update((account_sid, each) for each in conversation_sids)


def _disjoint_heads(actions: deque[PendingAction], count_max: int) -> list[PendingAction]:
    """Take actions from the head of a conversation's queue until one conflicts."""
    taken: list[PendingAction] = []
    subjects: set[str] = set()
    while actions and len(taken) < count_max:
        scope = actions[0].conflict_scope
        if taken and (
            scope.subject_sid in subjects or not scope.is_disjoint_from(taken[0].conflict_scope)
        ):
            break
        subjects.add(scope.subject_sid)
        taken.append(actions.popleft())
    return taken


class GroupScheduler:
    """Forms groups and runs a limited number of them concurrently."""

    def __init__(self, run: Run, size: int) -> None:
        """``run`` executes a group to its end; ``size``: how many run concurrently."""
        assert size > 0
        self._run = run
        self._size = size
        self._queue = GroupQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        # When the newest running group of an account was started, in seconds of the loop's clock.
        self._started_at: dict[str, float] = {}
        self._is_scheduled = False
        self._timer: asyncio.Handle | None = None

    def enqueue(self, account_sid: str, action: PendingAction) -> asyncio.Future[Any]:
        """Enqueue an action; return the future of its result. Raises ``Busy``."""
        if self._queue.count >= limits.QUEUE_ACTIONS_MAX:
            raise Busy
        self._queue.add(account_sid, action)
        if not self._is_scheduled and len(self._tasks) < self._size:
            # In the next iteration of the loop: actions enqueued in this one share the group.
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._start_groups)
        return action.future

    def _start_groups(self) -> None:
        """Start every group that may start, and a timer if actions remain."""
        self._is_scheduled = False
        loop = asyncio.get_running_loop()
        while len(self._tasks) < self._size and (taken := self._queue.take(self._may_start)):
            account_sid, first = taken
            self._started_at[account_sid] = loop.time()
            task = asyncio.create_task(self._run_group(account_sid, first))
            self._tasks.add(task)
            task.add_done_callback(self._group_ended)
        if self._timer is not None:
            self._timer.cancel()
        patience_seconds = limits.GROUP_PATIENCE_MS / 1000
        has_rest = self._queue.count > 0
        self._timer = loop.call_later(patience_seconds, self._start_groups) if has_rest else None

    def _may_start(self, account_sid: str) -> bool:
        started_at = self._started_at.get(account_sid)
        now = asyncio.get_running_loop().time()
        return started_at is None or now - started_at >= limits.GROUP_PATIENCE_MS / 1000

    async def _run_group(self, account_sid: str, first: list[PendingAction]) -> None:
        started_at = self._started_at[account_sid]
        sids = dict.fromkeys(each.conflict_scope.conversation_sid for each in first)
        try:
            await self._run(account_sid, first, lambda: self._queue.take_from(account_sid, sids))
        finally:
            self._queue.release(account_sid, sids)
            # A newer group of the account keeps its own time.
            if self._started_at.get(account_sid) == started_at:
                del self._started_at[account_sid]

    def _group_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._start_groups()

    async def close(self) -> None:
        """Run queued actions to their ends."""
        # A group that ends may start another one, so gather() alone is not enough.
        while self._tasks or self._queue.count:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)
