"""The SQLite engine: one file in WAL mode, ``synchronous=FULL``, one writer, group commit.

**Group commit.** A commit waits for the disk, which takes far longer than an action. So actions
share commits: ``write`` enqueues an action; one transaction executes every queued action; a helper
thread runs its COMMIT while the event loop serves reads and enqueues the next group. Each action of
the group gets its result after the COMMIT has returned. If the COMMIT fails, the group fails.

States of the writer:

| state      | what holds                        | next state, and its cause                       |
|------------|-----------------------------------|-------------------------------------------------|
| idle       | queue empty, no transaction       | scheduled: an action was enqueued               |
| scheduled  | ``_run_group`` is due in the loop | committing: the group was executed              |
|            |                                   | scheduled: another process holds the write lock |
|            |                                   | idle: BEGIN failed, all queued actions failed   |
| committing | ``_committing``; only the helper  | exclusive: ``exclusively`` was called           |
|            | thread uses the writer            | scheduled: the queue is not empty               |
|            |                                   | idle: the queue is empty                        |
| exclusive  | one function uses the writer, in  | exclusive: another call of ``exclusively``      |
|            | one step of the event loop        | scheduled, idle: as above                       |

``_is_scheduled`` is true in all states but idle, so at most one group is in flight.

**Rollback of one action.** An action that fails must leave nothing behind. Most fail before they
write, so a group runs without savepoints, which would cost an eighth of a small change. If an
action fails after a write, the group is rolled back and executed again with a savepoint around each
action, and so are the next ``SAVEPOINT_GROUPS`` groups. That is safe: no result of the first
execution was returned, and an action may be executed more than once.

**No waiting inside a transaction.** Actions run in the event loop and never suspend: ``drive``
resumes the coroutine once and fails it if it awaits anything but the transaction. So a slow network
cannot block the writer.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import apsw

from parlour.store.dialect import SQLITE, in_dialect
from parlour.store.migrations import migrations
from parlour.store.settings_cache import SettingsCache
from parlour.store.sqlite.checkpoints import Checkpoints
from parlour.store.sqlite.exclusive import ExclusiveAccess, do_nothing
from parlour.store.sqlite.transaction import (
    SqliteReadTransaction,
    SqliteWriteTransaction,
    drive,
)
from parlour.store.transaction import ALL_ACCOUNTS, Busy, DatabaseError, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.origin import SILENT, Origin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from parlour.store.migrations import Migration
    from parlour.store.transaction import ConflictScope, DryRun, Work
    from parlour.store.write_transaction import SequenceGenerator
    from parlour.vocabulary.clock import Clock, Random

T = TypeVar("T")

# No two threads ever use one connection at a time, so it needs no mutex (decision 22).
_FLAGS: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOMUTEX

FATAL_EXIT_STATUS: Final = 74
"""EX_IOERR: a sync failed; only recovery at a restart shows which pages are on disk."""


class _QueuedAction(NamedTuple):
    """An action in the queue."""

    work: Work[Any]
    origin: Origin
    future: asyncio.Future[Any]
    dry_run: bool
    account_sid: str


class _FinishedAction(NamedTuple):
    """The result of an action, returned after the commit of its group."""

    future: asyncio.Future[Any]
    result: object
    error: Exception | None
    account_sid: str


class _GroupFailed(Exception):  # noqa: N818 - a condition of the group, caught in this file.
    """An action failed after a write, and there is no savepoint to roll back to."""


class SqliteStore:
    """The store in one SQLite file. Implements ``transaction.Store``."""

    is_shared: Final = False

    def __init__(
        self,
        path: Path,
        clock: Clock,
        random: Random,
        *,
        vfs: str | None = None,
        synchronous: str = "FULL",
    ) -> None:
        """Open or create the file; ``vfs`` is for tests of power loss.

        ``synchronous`` is OFF in test mode: then no commit waits for the disk, and deleted content
        is not overwritten.
        """
        self._clock = clock
        self._path = path
        self._vfs = vfs
        try:
            self._writer = self._connect(synchronous)
            self._migrate()
            self._reader = self._connect(synchronous)
            # A second line of defence behind ReadOnlyTransaction.
            self._reader.execute("PRAGMA query_only = 1")
        except apsw.Error as error:
            raise DatabaseError(f"{path}: {error}") from error
        self._settings_cache = SettingsCache()
        # One cursor and one transaction object each: creating them per action would cost more.
        self._write_tx = SqliteWriteTransaction(self._writer, clock, random, self._settings_cache)
        self._read_tx = SqliteReadTransaction(self._reader, clock, self._settings_cache)
        self._idle_tx = SqliteReadTransaction(self._writer, clock, self._settings_cache)
        self._queue: deque[_QueuedAction] = deque(maxlen=limits.QUEUE_ACTIONS_MAX)
        self._is_scheduled = False
        self._committing = False
        self.is_repeated: Callable[[Exception | None], bool] = lambda _error: False
        """Whether an action with this error is executed again; for repeatable randomness."""
        self._savepoint_groups = 0
        self._uses_savepoints = False
        self._idle: asyncio.Future[None] | None = None
        # Calls of ``exclusively`` that wait for the writer, in their order.
        self._exclusive: deque[asyncio.Future[None]] = deque()  # tidy: bounded - by test functions
        # One thread: at most one commit is in flight.
        self._commits = ThreadPoolExecutor(1, "parlour-commit")
        self._checkpoints = Checkpoints(lambda: self._connect(synchronous), path, clock)
        self._writer.set_wal_hook(self._checkpoints.committed)
        self._listeners: list[Callable[[], None]] = []
        self._group_listeners: list[Callable[[], None]] = []
        self._in_commit: list[_FinishedAction] = []

    def _connect(self, synchronous: str) -> apsw.Connection:
        connection = apsw.Connection(
            str(self._path), flags=_FLAGS, vfs=self._vfs, statementcachesize=512
        )
        connection.set_busy_timeout(limits.STORE_BUSY_MS_MAX)
        for pragma in (
            "journal_mode = WAL",
            f"synchronous = {synchronous}",
            "wal_autocheckpoint = 0",
            "cache_size = -16384",
            "temp_store = MEMORY",
            # Deleted content is overwritten with zeros, in pages and in the freelist.
            f"secure_delete = {'OFF' if synchronous == 'OFF' else 'ON'}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _migrate(self) -> None:
        self._writer.execute(
            "CREATE TABLE IF NOT EXISTS migration (name TEXT NOT NULL PRIMARY KEY)"
        )
        # Read without the write lock: a command opens the file while a server writes to it.
        applied = {name for (name,) in self._writer.execute("SELECT name FROM migration")}
        for migration in migrations():
            if migration.name not in applied:
                self._apply(migration)

    def _apply(self, migration: Migration) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        applied = "SELECT 1 FROM migration WHERE name = ?"
        if self._writer.execute(applied, (migration.name,)).fetchone():
            # Another process has applied it since.
            self._writer.execute("ROLLBACK")
            return
        self._writer.execute(in_dialect(migration.text, SQLITE))
        self._writer.execute("INSERT INTO migration (name) VALUES (?)", (migration.name,))
        self._writer.execute("COMMIT")

    async def start(self) -> None:
        """Do nothing: the constructor has opened the file."""

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call a listener after each commit that wrote an event."""
        self._listeners.append(listener)

    def on_group_end(self, listener: Callable[[], None]) -> None:
        """Call a listener after each commit, with or without an event."""
        self._group_listeners.append(listener)

    def unfinished_actions(self, account_sid: str = ALL_ACCOUNTS) -> int:
        """Return how many actions are queued or in commit: all, or those for one account."""
        accounts = [each.account_sid for each in self._queue]
        accounts += [each.account_sid for each in self._in_commit]
        return len(accounts) if account_sid == ALL_ACCOUNTS else accounts.count(account_sid)

    @property
    def sequences(self) -> SequenceGenerator:
        """The generator of the numbers of creation."""
        return self._write_tx.sequences

    async def read(
        self,
        work: Work[T],
        *,
        account_sid: str = ALL_ACCOUNTS,  # noqa: ARG002 - no row-level security here.
        single_statement: bool = False,  # noqa: ARG002 - a snapshot costs nothing here.
    ) -> T:
        """Run a read on one snapshot, in the event loop: a switch of threads would cost more."""
        if not self._committing:
            # Actions run in this loop too, so without a commit in flight nothing changes between
            # two statements. The writer's page cache is up to date then, while the reader's would
            # have to read every page again that the last groups have changed.
            return drive(work(self._idle_tx))
        # The snapshot is taken at the first statement after BEGIN, and lasts until COMMIT.
        self._reader.execute("BEGIN")
        try:
            return drive(work(self._read_tx))
        finally:
            self._reader.execute("COMMIT")

    async def write(
        self,
        work: Work[T],
        origin: Origin = SILENT,
        *,
        account_sid: str = ALL_ACCOUNTS,
        conflict_scope: ConflictScope | None = None,  # noqa: ARG002 - one at a time.
    ) -> T:
        """Run a change; return its result after the commit of its group."""
        result: T = await self._enqueue(work, origin, account_sid, dry_run=False)
        return result

    async def dry_run(
        self,
        work: Work[T],
        origin: Origin = SILENT,
        *,
        account_sid: str = ALL_ACCOUNTS,
    ) -> DryRun[T]:
        """Run a change and roll it back; return its result and events."""
        result: DryRun[T] = await self._enqueue(work, origin, account_sid, dry_run=True)
        return result

    async def exclusively(self, work: Callable[[ExclusiveAccess], T]) -> T:
        """Run a function alone on the connection of the writer; return its result.

        For functions that no action can have: to empty or copy whole tables in one statement. All
        actions that were queued before are committed first, later ones wait. The function runs in
        the event loop in one step, so no other task runs in between. It begins and ends its
        transactions itself, and leaves none open. Raises ``Busy`` and ``Unavailable``.
        """
        await self.write(do_nothing)
        loop = asyncio.get_running_loop()
        if self._is_scheduled:
            turn: asyncio.Future[None] = loop.create_future()
            self._exclusive.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._continue(loop)  # It had the writer already.
                raise
        self._is_scheduled = True
        try:
            return work(ExclusiveAccess(self._writer, self._write_tx, self._settings_cache))
        except apsw.FullError as error:
            raise Unavailable(str(error)) from error
        finally:
            self._continue(loop)
            for listener in (*self._listeners, *self._group_listeners):
                listener()

    def _enqueue(
        self, work: Work[Any], origin: Origin, account_sid: str, *, dry_run: bool
    ) -> asyncio.Future[Any]:
        if len(self._queue) >= limits.QUEUE_ACTIONS_MAX:
            raise Busy
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Any] = loop.create_future()
        self._queue.append(_QueuedAction(work, origin, result, dry_run, account_sid))
        if not self._is_scheduled:
            # In the next iteration of the loop: actions enqueued in this one share the group.
            self._is_scheduled = True
            loop.call_soon(self._run_group, loop)
        return result

    def _run_group(self, loop: asyncio.AbstractEventLoop) -> None:
        """Execute queued actions, up to the limits of a group, and start the commit."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            # Another process (the command line) holds the write lock, for milliseconds.
            # The state stays scheduled: new actions only join the queue.
            loop.call_later(limits.STORE_RETRY_MS / 1000, self._run_group, loop)
            return
        except apsw.Error as error:
            self._fail_all(loop, error)
            return
        group = self._run_queued()
        if group is None:
            self._run_group(loop)  # Recurses once: with savepoints no action fails its group.
            return
        self._committing = True
        self._in_commit = group
        commit = self._commits.submit(self._commit)
        commit.add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._committed, loop, done, group)
        )

    def _run_queued(self) -> list[_FinishedAction] | None:
        """Execute queued actions; None if all were rolled back and are queued again."""
        self._uses_savepoints = self._savepoint_groups > 0
        if self._uses_savepoints:
            self._savepoint_groups -= 1
        taken: list[_QueuedAction] = []
        group: list[_FinishedAction] = []
        deadline_ms = self._clock.monotonic_ms() + limits.GROUP_MS_MAX
        self._write_tx.begin_group()
        try:
            while self._queue and len(group) < limits.GROUP_ACTIONS_MAX:
                taken.append(self._queue.popleft())
                while self.is_repeated((finished := self._run_one(taken[-1])).error):
                    pass
                group.append(finished)
                # On a full disk SQLite may roll back the transaction: then the commit fails.
                if self._clock.monotonic_ms() > deadline_ms or not self._writer.in_transaction:
                    break
        except _GroupFailed:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            # Back to the head of the queue, in their old order.
            self._queue.extendleft(reversed(taken))
            self._savepoint_groups = limits.SAVEPOINT_GROUPS
            return None
        return group

    def _run_one(self, action: _QueuedAction) -> _FinishedAction:
        tx = self._write_tx
        has_savepoint = action.dry_run or self._uses_savepoints
        if has_savepoint:
            self._writer.execute("SAVEPOINT action")
        # Counts rows of every statement, so a difference means that the action has written.
        changes = self._writer.total_changes()
        tx.begin_action(action.origin, is_dry_run=action.dry_run)
        try:
            result = drive(action.work(tx))
        except Exception as error:
            if has_savepoint:
                self._roll_back_action()
            elif self._writer.total_changes() != changes or not self._writer.in_transaction:
                raise _GroupFailed from error
            failure = Unavailable(str(error)) if isinstance(error, apsw.FullError) else error
            return _FinishedAction(action.future, None, failure, action.account_sid)
        if action.dry_run:
            result = tx.dry_run_result(result)
            self._roll_back_action()
        else:
            tx.finish_action()
            if has_savepoint:
                self._writer.execute("RELEASE action")
        return _FinishedAction(action.future, result, None, action.account_sid)

    def _roll_back_action(self) -> None:
        if self._writer.in_transaction:  # On a full disk SQLite may have rolled it back.
            self._writer.execute("ROLLBACK TO action")
            self._writer.execute("RELEASE action")

    def _commit(self) -> None:
        """Commit, in the helper thread, which alone uses the writer until it returns.

        A failed commit is never retried.
        """
        if not self._writer.in_transaction:
            raise Unavailable("the transaction was rolled back by the engine")
        try:
            self._writer.execute("COMMIT")
        except apsw.IOError:
            # After a failed sync the kernel may drop dirty pages, and a retry would succeed without
            # them: section "fsync" of docs/explanation/durability.md.
            os._exit(FATAL_EXIT_STATUS)
        except apsw.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise Unavailable(str(error)) from error

    def _committed(
        self, loop: asyncio.AbstractEventLoop, commit: Future[None], group: list[_FinishedAction]
    ) -> None:
        failure = commit.exception()
        self._settings_cache.end_change()
        self._committing = False
        self._in_commit = []
        self._continue(loop)
        for action in group:
            if action.future.done():  # The caller was cancelled; its change is committed.
                continue
            if action.error is not None:
                action.future.set_exception(action.error)
            elif failure is not None:
                action.future.set_exception(Unavailable(str(failure)))
            else:
                action.future.set_result(action.result)
        if failure is None and self._write_tx.has_events:
            for listener in self._listeners:
                listener()
        for listener in self._group_listeners:
            listener()

    def _continue(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave the writer to an exclusive function, or to the next group, or become idle."""
        while self._exclusive:
            turn = self._exclusive.popleft()
            if not turn.done():  # Else its caller was cancelled.
                self._is_scheduled = True
                turn.set_result(None)
                return
        self._is_scheduled = bool(self._queue)
        if self._is_scheduled:
            loop.call_soon(self._run_group, loop)
        elif self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _fail_all(self, loop: asyncio.AbstractEventLoop, error: apsw.Error) -> None:
        while self._queue:
            action = self._queue.popleft()
            if not action.future.done():
                action.future.set_exception(Unavailable(str(error)))
        self._continue(loop)

    async def close(self) -> None:
        """Execute and commit queued actions, then close the file."""
        if self._is_scheduled:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
        self._commits.shutdown()
        self._checkpoints.close()
        self._reader.close()
        self._writer.close()
