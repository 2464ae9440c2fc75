"""The embedded engine: SQLite in WAL with ``synchronous=FULL``, one writer, group commit.

How a change reaches the disk. Callers of ``write`` join a queue. While no commit is in flight the
engine opens one transaction, runs every queued action in it, and hands COMMIT (which waits for the
disk) to a helper thread; meanwhile the event loop goes on reading and queueing. When the commit has
returned, and only then, every action of the group is answered. A COMMIT that fails fails the whole
group.

An action that fails must leave nothing behind. Most fail before they write anything, so a group
runs without savepoints, which would cost an eighth of a small change. If an action fails after a
write, the whole group is rolled back and run again with a savepoint around each action, and so are
the next groups. Nothing of the first run was answered, and actions may be run more than once.

Actions run in the event loop and never suspend: the engine drives each coroutine by hand and
fails it if it awaits anything but the transaction. So a slow network can never hold the writer.
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
from parlour.store.sqlite.checkpoints import Checkpoints
from parlour.store.sqlite.transaction import (
    SettingsCache,
    SqliteReadTransaction,
    SqliteWriteTransaction,
)
from parlour.store.transaction import ALL_ACCOUNTS, Busy, DatabaseError, Unavailable, in_transaction
from parlour.vocabulary import limits
from parlour.vocabulary.origin import SILENT, Origin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from parlour.store.transaction import ConflictScope, DryRun, Work
    from parlour.vocabulary.clock import Clock, Random

T = TypeVar("T")

# No two threads ever use one connection at a time, so it needs no mutex (decision 22).
_FLAGS: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOMUTEX

FATAL_EXIT_STATUS: Final = 74
"""EX_IOERR: the disk refused a sync; only a restart can tell what is really on it."""


class _QueuedAction(NamedTuple):
    """An action in the queue."""

    work: Work[Any]
    origin: Origin
    answer: asyncio.Future[Any]
    dry_run: bool


class _FinishedAction(NamedTuple):
    """What came of an action, told once its group is on disk."""

    answer: asyncio.Future[Any]
    result: object
    error: Exception | None


class _GroupFailed(Exception):  # noqa: N818 - a condition of the group, caught in this file.
    """An action failed after it had written, and no savepoint was set before it."""


class SqliteStore:
    """The store in one SQLite file."""

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
        """Open or create the file; ``vfs`` and ``synchronous`` are for tests of power loss."""
        self._clock = clock
        self._path = path
        self._vfs = vfs
        try:
            self._writer = self._connect(synchronous)
            self._migrate()
            self._reader = self._connect(synchronous)
            self._reader.execute("PRAGMA query_only = 1")
        except apsw.Error as error:
            raise DatabaseError(f"{path}: {error}") from error
        self._settings_cache = SettingsCache()
        self._write_tx = SqliteWriteTransaction(self._writer, clock, random, self._settings_cache)
        self._read_tx = SqliteReadTransaction(self._reader, clock, self._settings_cache)
        self._idle_tx = SqliteReadTransaction(self._writer, clock, self._settings_cache)
        self._queue: deque[_QueuedAction] = deque(maxlen=limits.QUEUE_ACTIONS_MAX)
        self._is_due = False
        self._committing = False
        self._savepoint_groups = 0
        self._uses_savepoints = False
        self._idle: asyncio.Future[None] | None = None
        self._commits = ThreadPoolExecutor(1, "parlour-commit")
        self._checkpoints = Checkpoints(lambda: self._connect(synchronous), path, clock)
        self._writer.set_wal_hook(self._checkpoints.committed)
        self._listeners: list[Callable[[], None]] = []

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
            # What is deleted is overwritten, in the page and in the list of free pages.
            "secure_delete = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _migrate(self) -> None:
        self._writer.execute(
            "CREATE TABLE IF NOT EXISTS migration (name TEXT NOT NULL PRIMARY KEY)"
        )
        for migration in migrations():
            self._writer.execute("BEGIN IMMEDIATE")
            known = "SELECT 1 FROM migration WHERE name = ?"
            if self._writer.execute(known, (migration.name,)).fetchone():
                self._writer.execute("ROLLBACK")
                continue
            self._writer.execute(in_dialect(migration.text, SQLITE))
            self._writer.execute("INSERT INTO migration (name) VALUES (?)", (migration.name,))
            self._writer.execute("COMMIT")

    async def start(self) -> None:
        """Nothing is left to do: the file is open."""

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call this after each commit that wrote an event: a hint that there is news."""
        self._listeners.append(listener)

    async def read(
        self,
        work: Work[T],
        *,
        account_sid: str = ALL_ACCOUNTS,  # noqa: ARG002 - this engine has no second wall.
        single_statement: bool = False,  # noqa: ARG002 - a snapshot costs nothing here.
    ) -> T:
        """Run reading work on one snapshot, in the event loop: a thread hop costs more."""
        if not self._committing:
            # Actions run in this loop too, so without a commit on its way to the disk nothing
            # can change between two statements. The writer's own pages are as they are on disk;
            # the other connection would have to read those again that it changed.
            return drive(work(self._idle_tx))
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
        account_sid: str = ALL_ACCOUNTS,  # noqa: ARG002 - this engine has no second wall.
        conflict_scope: ConflictScope | None = None,  # noqa: ARG002 - one at a time.
    ) -> T:
        """Run a change; the answer comes once its group is on disk."""
        answer: T = await self._enqueue(work, origin, dry_run=False)
        return answer

    async def dry_run(
        self,
        work: Work[T],
        origin: Origin = SILENT,
        *,
        account_sid: str = ALL_ACCOUNTS,  # noqa: ARG002 - as in ``write``.
    ) -> DryRun[T]:
        """Run a change for what it would give, and undo it."""
        answer: DryRun[T] = await self._enqueue(work, origin, dry_run=True)
        return answer

    def _enqueue(self, work: Work[Any], origin: Origin, *, dry_run: bool) -> asyncio.Future[Any]:
        if len(self._queue) >= limits.QUEUE_ACTIONS_MAX:
            raise Busy
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._queue.append(_QueuedAction(work, origin, answer, dry_run))
        if not self._is_due:
            # Not at once: whoever is ready in this turn of the loop joins the same group.
            self._is_due = True
            loop.call_soon(self._run_group, loop)
        return answer

    def _run_group(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run what is queued, up to the limits of a group, and send it to the disk."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            # Another process (the command line) is writing; it never holds on for long.
            loop.call_later(limits.STORE_RETRY_MS / 1000, self._run_group, loop)
            return
        except apsw.Error as error:
            self._fail_all(error)
            return
        group = self._run_queued()
        if group is None:
            self._run_group(loop)  # Once: with savepoints no action spoils its group.
            return
        self._committing = True
        commit = self._commits.submit(self._commit)
        commit.add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._answer, loop, done, group)
        )

    def _run_queued(self) -> list[_FinishedAction] | None:
        """Run what is queued; None if all of it is undone, and queued again, to run carefully."""
        self._uses_savepoints = self._savepoint_groups > 0
        if self._uses_savepoints:
            self._savepoint_groups -= 1
        taken: list[_QueuedAction] = []
        group: list[_FinishedAction] = []
        deadline_ms = self._clock.monotonic_ms() + limits.GROUP_MS_MAX
        self._write_tx.open_group()
        try:
            while self._queue and len(group) < limits.GROUP_ACTIONS_MAX:
                taken.append(self._queue.popleft())
                group.append(self._run_one(taken[-1]))
                # A full disk may have rolled everything back: the commit says so to the group.
                if self._clock.monotonic_ms() > deadline_ms or not self._writer.in_transaction:
                    break
        except _GroupFailed:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            self._queue.extendleft(reversed(taken))
            self._savepoint_groups = limits.SAVEPOINT_GROUPS
            return None
        return group

    def _run_one(self, waiting: _QueuedAction) -> _FinishedAction:
        tx = self._write_tx
        has_savepoint = waiting.dry_run or self._uses_savepoints
        if has_savepoint:
            self._writer.execute("SAVEPOINT action")
        changes = self._writer.total_changes()
        tx.open_action(waiting.origin, dry_run=waiting.dry_run)
        try:
            result = drive(waiting.work(tx))
        except Exception as error:
            if has_savepoint:
                self._undo_action()
            elif self._writer.total_changes() != changes or not self._writer.in_transaction:
                raise _GroupFailed from error
            failure = Unavailable(str(error)) if isinstance(error, apsw.FullError) else error
            return _FinishedAction(waiting.answer, None, failure)
        if waiting.dry_run:
            result = tx.dry_run_result(result)
            self._undo_action()
        else:
            tx.keep_action()
            if has_savepoint:
                self._writer.execute("RELEASE action")
        return _FinishedAction(waiting.answer, result, None)

    def _undo_action(self) -> None:
        if self._writer.in_transaction:  # A full disk may have rolled everything back.
            self._writer.execute("ROLLBACK TO action")
            self._writer.execute("RELEASE action")

    def _commit(self) -> None:
        """Wait for the disk, in the helper thread; the loop keeps its hands off the writer."""
        if not self._writer.in_transaction:
            raise Unavailable("the transaction was rolled back by the engine")
        try:
            self._writer.execute("COMMIT")
        except apsw.IOError:
            # A failed sync may have dropped pages that look written. Never try again: section
            # "fsync" of docs/explanation/durability.md.
            os._exit(FATAL_EXIT_STATUS)
        except apsw.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise Unavailable(str(error)) from error

    def _answer(
        self, loop: asyncio.AbstractEventLoop, commit: Future[None], group: list[_FinishedAction]
    ) -> None:
        failure = commit.exception()
        self._settings_cache.end_change()
        self._committing = False
        self._is_due = bool(self._queue)
        if self._is_due:
            loop.call_soon(self._run_group, loop)
        elif self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        for done in group:
            if done.answer.done():  # The caller went away; the change is kept all the same.
                continue
            if done.error is not None:
                done.answer.set_exception(done.error)
            elif failure is not None:
                done.answer.set_exception(Unavailable(str(failure)))
            else:
                done.answer.set_result(done.result)
        if failure is None and self._write_tx.has_events:
            for listener in self._listeners:
                listener()

    def _fail_all(self, error: apsw.Error) -> None:
        self._is_due = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        while self._queue:
            waiting = self._queue.popleft()
            if not waiting.answer.done():
                waiting.answer.set_exception(Unavailable(str(error)))

    async def close(self) -> None:
        """Finish what is queued, and close the file."""
        if self._is_due:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
        self._commits.shutdown()
        self._checkpoints.close()
        self._reader.close()
        self._writer.close()


def drive(action: Awaitable[T]) -> T:
    """Run a coroutine that only awaits the transaction, without a loop."""
    coroutine: Any = action
    outside = in_transaction.set(True)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        in_transaction.reset(outside)
    coroutine.close()
    raise AssertionError("an action awaited something that is not its transaction")
