"""The PostgreSQL engine, for several nodes: one transaction for each action or group of actions.

**Concurrency.** Every node writes at the same time, so statements take the locks that SQLite's one
writer makes unnecessary. An action locks the rows that it reads in order to change them (``FOR
UPDATE``). Every change in a conversation locks the row of the conversation first, so changes of one
conversation are serialized, and its events get their numbers in the order of commits. Natural keys
are unique in the schema: of two actions that insert one key, the second fails, is retried, and then
reads the row of the first. A deadlock is retried the same way.

**Group commit.** Actions with a conflict scope share transactions (``group_scheduler.py``,
``group.py``). A group that fails is rolled back, and each of its actions is executed in a
separate transaction; unless the group ends with ``Unavailable`` or ``Busy`` (the outcome of its
commit is unknown, it timed out, the server refused it, or no connection came free): then all its
actions fail.

**Outcomes** of an attempt (``_attempt``), and what the callers do:

| outcome                                     | connection | action                             |
|---------------------------------------------|------------|------------------------------------|
| committed                                   | released   | result returned                    |
| error of the action                         | released   | raised, after a rollback           |
| race: unique key, deadlock, serialization   | released   | retried, up to STORE_TRIES_MAX     |
| refused: lock timeout, too many clients     | released   | ``Unavailable``, after a rollback  |
| connection lost before COMMIT was sent      | discarded  | retried once: nothing is committed |
| timeout; COMMIT failed, or outcome unknown  | discarded  | ``Unavailable``                    |

After STORE_TRIES_MAX tries a violation of a unique key is raised as such; any other race becomes
``Unavailable``.

See docs/decisions/0014-postgresql.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import asyncpg
import structlog

from parlour.store.postgres.connections import LOST, REFUSED, UNLIMITED, ConnectionPool, connect
from parlour.store.postgres.event_gaps import EventGaps
from parlour.store.postgres.group import (
    Group,
    GroupAborted,
    GroupTransaction,
    PendingAction,
    StatementCache,
)
from parlour.store.postgres.group_scheduler import GroupScheduler
from parlour.store.postgres.orphaned_transactions import OrphanedTransactions
from parlour.store.postgres.prefetch import ReadPlans
from parlour.store.postgres.schema import migrate, no_connection
from parlour.store.postgres.transaction import (
    PostgresReadTransaction,
    PostgresSingleStatement,
    PostgresWriteTransaction,
)
from parlour.store.statements import statement
from parlour.store.transaction import ALL_ACCOUNTS, Unavailable, in_transaction
from parlour.store.write_transaction import LAST_EVENT_DATE, SequenceGenerator
from parlour.vocabulary import limits, sids
from parlour.vocabulary.origin import SILENT, Origin

if TYPE_CHECKING:
    from asyncpg import Connection

    from parlour.store.postgres.group_scheduler import More
    from parlour.store.transaction import ConflictScope, DryRun, Transaction, Work
    from parlour.vocabulary.clock import Clock, Random

log = structlog.get_logger()

T = TypeVar("T")
Attempt = Callable[["Connection[Any]"], Awaitable[T]]

BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# The transaction id must be assigned before any number of an event: see event_gaps.py.
BEGIN_WRITING: Final = "BEGIN; SELECT pg_current_xact_id()"
BEGIN_GROUP: Final = f"{BEGIN_WRITING}; SET LOCAL lock_timeout = {limits.GROUP_LOCK_MS_MAX}"

_RACED: Final = (
    asyncpg.UniqueViolationError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
_REFUSED: Final = (
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
"""The server is reachable, and refuses the statement for now."""


class _Lost(Exception):  # noqa: N818 - named after the condition.
    """The connection was lost before COMMIT was sent."""


class PostgresStore:
    """The store in one PostgreSQL database. Implements ``transaction.Store``."""

    is_shared: Final = True

    def __init__(self, url: str, clock: Clock, random: Random, *, connections: int) -> None:
        """Open no connection yet: ``start`` does."""
        self._url = url
        self._clock = clock
        self._random = random
        self._connections = ConnectionPool(url, connections)
        self._listeners: list[Callable[[], None]] = []
        self._event_gaps = EventGaps(self._connections, self._notify)
        self._orphaned_transactions = OrphanedTransactions(self._connections)
        self._sequences = SequenceGenerator()
        # At most half of the connections: reads and single writes never wait for groups alone.
        self._groups = GroupScheduler(
            self._run_group, min(limits.GROUPS_MAX, (connections + 1) // 2)
        )
        self._statements = StatementCache()
        self._plans = ReadPlans()

    async def start(self) -> None:
        """Apply migrations, and read the high-water mark of the event log."""
        try:
            # Without timeouts: the lock of another node's migrations, or an index, takes long.
            connection = await connect(self._url, **UNLIMITED)
        except REFUSED as error:
            raise no_connection(self._url, error) from error
        try:
            await migrate(connection)
            self._sequences.start_after(await connection.fetchval(LAST_EVENT_DATE) or 0)
        finally:
            await connection.close()
        # The mark starts at the last event, so that readers do not stop at every old gap.
        await self._event_gaps.refresh()
        self._orphaned_transactions.start()

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call a listener after each commit that wrote an event."""
        self._listeners.append(listener)

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()

    async def read(
        self, work: Work[T], *, account_sid: str = ALL_ACCOUNTS, single_statement: bool = False
    ) -> T:
        """Run a read on one snapshot."""
        # Without a transaction there is no SET LOCAL, so row-level security cannot apply.
        assert not single_statement or account_sid == ALL_ACCOUNTS, account_sid

        async def attempt(connection: Connection[Any]) -> T:
            if single_statement:
                return await _execute(
                    work, PostgresSingleStatement(connection, self._event_gaps, self._clock)
                )
            tx = PostgresReadTransaction(connection, self._event_gaps, self._clock)
            await connection.execute(_begin_statement(BEGIN_READING, account_sid))
            result = await _execute(work, tx)
            await connection.execute("COMMIT")
            return result

        return await self._run(attempt)

    async def write(
        self,
        work: Work[T],
        origin: Origin = SILENT,
        *,
        account_sid: str = ALL_ACCOUNTS,
        conflict_scope: ConflictScope | None = None,
    ) -> T:
        """Run a change; return its result after the commit."""
        # A group is of one account: its transaction sees no rows of others.
        if conflict_scope is None or account_sid == ALL_ACCOUNTS:
            return await self._write_alone(work, origin, account_sid)
        future = asyncio.get_running_loop().create_future()
        action = PendingAction(work, origin, conflict_scope, future)
        return cast("T", await self._groups.enqueue(account_sid, action))

    async def _write_alone(self, work: Work[T], origin: Origin, account_sid: str) -> T:
        async def attempt(connection: Connection[Any]) -> T:
            tx = self._writing(connection, origin, is_dry_run=False)
            await connection.execute(_begin_statement(BEGIN_WRITING, account_sid))
            result = await _execute(work, tx)
            await _commit(connection)
            if tx.has_events:
                self._notify()
            return result

        return await self._run(attempt)

    async def _run_group(self, account_sid: str, first: list[PendingAction], more: More) -> None:
        """Execute a group and set its results: in one transaction, or else one by one."""
        actions = list(first)

        async def attempt(connection: Connection[Any]) -> Group:
            group = Group(connection, self._statements, partial(self._in_group, connection))
            await connection.execute(_begin_statement(BEGIN_GROUP, account_sid))
            open_until_ms = self._clock.monotonic_ms() + limits.GROUP_MS_MAX
            try:
                await self._run_first(group, connection, account_sid, first)
                while self._clock.monotonic_ms() < open_until_ms and (later := more()):
                    actions.extend(later)
                    await group.run(later)
            except asyncpg.LockNotAvailableError as error:
                # One locked row must not delay the others: alone, each waits for its own locks.
                raise GroupAborted(str(error)) from error
            await group.finish()
            await _commit(connection)
            return group

        try:
            group = await self._attempt(attempt)
        except (GroupAborted, _Lost, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # Nothing is committed. Executed alone, only the action that caused it fails.
            log.debug("group_rolled_back", actions=len(actions), error=repr(error))
            await asyncio.gather(*(self._execute_alone(each, account_sid) for each in actions))
        except Exception as error:  # noqa: BLE001 - Busy and Unavailable among others.
            # The outcome of the commit may be unknown, so no action may be executed again.
            for each in actions:
                _fail(each.future, error)
        else:
            group.set_results()
            if group.has_events:
                self._notify()

    async def _run_first(
        self,
        group: Group,
        connection: Connection[Any],
        account_sid: str,
        first: list[PendingAction],
    ) -> None:
        """Execute the first actions of a group, with prefetched rows."""
        conflict_scope, fires = first[0].conflict_scope, first[0].origin.fires
        plan = self._plans.find(account_sid, conflict_scope, fires=fires)
        # Other actions have other scopes: only settings are the same for all.
        if len(first) > 1:
            plan = tuple(each for each in plan if each.is_setting)
        prefetched = await self._plans.fetch(connection, plan, conflict_scope) if plan else {}
        await group.run(first, prefetched)
        # With several actions, reads are batched, which is not the sequence of a single one.
        if len(first) == 1 and group.first_reads is not None:
            self._plans.learn(account_sid, conflict_scope, group.first_reads, fires=fires)

    def _in_group(self, connection: Connection[Any], **own: Any) -> GroupTransaction:
        return GroupTransaction(
            connection=connection,
            event_gaps=self._event_gaps,
            sequences=self._sequences,
            clock=self._clock,
            random=self._random,
            **own,
        )

    async def _execute_alone(self, action: PendingAction, account_sid: str) -> None:
        try:
            result = await self._write_alone(action.work, action.origin, account_sid)
        except Exception as error:  # noqa: BLE001 - passed to the caller.
            _fail(action.future, error)
        else:
            if not action.future.done():
                action.future.set_result(result)

    async def dry_run(
        self, work: Work[T], origin: Origin = SILENT, *, account_sid: str = ALL_ACCOUNTS
    ) -> DryRun[T]:
        """Run a change and roll it back; return its result and events."""

        async def attempt(connection: Connection[Any]) -> DryRun[T]:
            tx = self._writing(connection, origin, is_dry_run=True)
            await connection.execute(_begin_statement(BEGIN_WRITING, account_sid))
            result = await _execute(work, tx)
            await connection.execute("ROLLBACK")
            return tx.dry_run_result(result)

        return await self._run(attempt)

    def _writing(
        self, connection: Connection[Any], origin: Origin, *, is_dry_run: bool
    ) -> PostgresWriteTransaction:
        return PostgresWriteTransaction(
            connection,
            self._event_gaps,
            self._sequences,
            clock=self._clock,
            random=self._random,
            origin=origin,
            is_dry_run=is_dry_run,
        )

    async def _run(self, attempt: Attempt[T]) -> T:
        """Retry an attempt after a race and, once, after a lost connection."""
        losses = 0
        for number in range(limits.STORE_TRIES_MAX):
            is_last = number + 1 == limits.STORE_TRIES_MAX
            try:
                return await self._attempt(attempt)
            except asyncpg.UniqueViolationError:
                if is_last:
                    raise  # No race: the action itself inserts a key twice.
            except _RACED as error:
                if is_last:
                    raise Unavailable(str(error)) from error
            except _Lost as error:
                losses += 1
                if losses > 1 or is_last:
                    raise Unavailable(str(error)) from error
            # Jitter: two actions that raced once would race again in lockstep.
            await asyncio.sleep(self._random.fraction() * number / 1000)
        raise AssertionError("every try returns or raises")

    async def _attempt(self, attempt: Attempt[T]) -> T:
        """Attempt once; release the connection without a transaction, or discard it."""
        connection = await self._connections.acquire()
        try:
            async with asyncio.timeout(limits.STORE_TRANSACTION_MS_MAX / 1000):
                result = await attempt(connection)
        except (Unavailable, TimeoutError) as error:
            # The state of the session is unknown: it may still be committing.
            self._connections.discard(connection, is_lost=True)
            raise Unavailable(str(error)) from error
        except Exception as error:
            if _is_loss(error):
                self._connections.discard(connection, is_lost=True)
                raise _Lost(str(error)) from error
            await self._roll_back(connection)
            if isinstance(error, _REFUSED):
                raise Unavailable(str(error)) from error
            raise
        except BaseException:
            # Cancelled in the middle of a statement: the protocol state is unknown.
            self._connections.discard(connection)
            raise
        self._connections.release(connection)
        return result

    async def _roll_back(self, connection: Connection[Any]) -> None:
        """Roll back and release the connection, or discard it."""
        try:
            async with asyncio.timeout(limits.STORE_TRANSACTION_MS_MAX / 1000):
                await connection.execute("ROLLBACK")
        except (*LOST, TimeoutError, asyncpg.PostgresError):
            self._connections.discard(connection)
        except BaseException:
            self._connections.discard(connection)
            raise
        else:
            self._connections.release(connection)

    async def close(self) -> None:
        """Execute queued actions, then close every connection."""
        await self._groups.close()
        await self._orphaned_transactions.stop()
        await self._event_gaps.stop()
        await self._connections.close()


@lru_cache(maxsize=1024)
def _begin_statement(text: str, account_sid: str) -> str:
    """Return the BEGIN of a transaction that sees rows of one account: see ``schema.py``."""
    if account_sid == ALL_ACCOUNTS:
        return text
    # SET takes no parameters. A sid has letters and digits only, so it needs no quoting.
    assert sids.is_sid(sids.ACCOUNT, account_sid), account_sid
    return statement("{begin}; SET LOCAL parlour.account = '{sid}'", begin=text, sid=account_sid)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():  # Done if the caller was cancelled.
        future.set_exception(error)


def _is_loss(error: Exception) -> bool:
    """Return whether the connection was lost; a rejected value or a timeout is no loss."""
    return isinstance(error, LOST) and not isinstance(error, (asyncpg.DataError, *_REFUSED))


async def _execute(work: Work[T], tx: Transaction) -> T:
    """Return the result of an action, with ``in_transaction`` set."""
    outside = in_transaction.set(True)
    try:
        return await work(tx)
    finally:
        in_transaction.reset(outside)


async def _commit(connection: Connection[Any]) -> None:
    """Commit. Raises ``Unavailable`` when that failed or its outcome is unknown."""
    try:
        status = await connection.execute("COMMIT")
    except (*LOST, asyncpg.PostgresError) as error:
        raise Unavailable(f"commit: {error}") from error
    # COMMIT of a failed transaction is no error: the server answers ROLLBACK.
    if status != "COMMIT":
        raise Unavailable(f"commit: {status}")
