"""The engine for more than one node: PostgreSQL, one transaction for each action or group.

Every node may write at the same time, so what one writer has for nothing is asked for. An action
that reads in order to change locks what it reads (``FOR UPDATE``); whatever happens in a
conversation begins with its row, so changes of one conversation come one after the other, and
their events in the order of their commits. Natural keys are unique in the schema. Two that race
for one key: the second is undone and run again, and then finds what the first has made, so that
its answer is the same as if it had come later. The same is done after a deadlock.

Actions that say how far they reach, which the hot ones do, share transactions: see
``grouping.py`` and ``postgres_group.py``. A group that cannot be kept is undone, and each of its
actions is run in a transaction of its own.

A connection that breaks before COMMIT was sent: nothing has happened, and the action is run once
more on a new one. A connection that breaks at COMMIT: nobody knows, and the caller is told 503.
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
# The id comes before any number of an event: see settling.py.
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
"""The server is there, and cannot do it now."""


class _Lost(Exception):  # noqa: N818 - named after the condition.
    """The connection broke while nothing was committed."""


class PostgresStore:
    """The store in one PostgreSQL database."""

    is_shared: Final = True

    def __init__(self, url: str, clock: Clock, random: Random, *, connections: int) -> None:
        """Prepare for a database; ``start`` connects to it."""
        self._url = url
        self._clock = clock
        self._random = random
        self._connections = ConnectionPool(url, connections)
        self._listeners: list[Callable[[], None]] = []
        self._event_gaps = EventGaps(self._connections, self._tell)
        self._orphaned_transactions = OrphanedTransactions(self._connections)
        self._sequences = SequenceGenerator()
        self._groups = GroupScheduler(
            self._run_group, min(limits.GROUPS_MAX, (connections + 1) // 2)
        )
        self._statements = StatementCache()
        self._plans = ReadPlans()

    async def start(self) -> None:
        """Bring the schema up to date and find where the event log is."""
        try:
            # Whoever waits for the lock of the migrations, or makes an index, takes its time.
            connection = await connect(self._url, **UNLIMITED)
        except REFUSED as error:
            raise no_connection(self._url, error) from error
        try:
            await migrate(connection)
            self._sequences.start_after(await connection.fetchval(LAST_EVENT_DATE) or 0)
        finally:
            await connection.close()
        await self._event_gaps.refresh()
        self._orphaned_transactions.start()

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call this after each commit that wrote an event: a hint that there is news."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    async def read(
        self, work: Work[T], *, account_sid: str = ALL_ACCOUNTS, single_statement: bool = False
    ) -> T:
        """Run reading work on one snapshot."""
        assert not single_statement or account_sid == ALL_ACCOUNTS, account_sid

        async def attempt(connection: Connection[Any]) -> T:
            if single_statement:
                return await _acted(
                    work, PostgresSingleStatement(connection, self._event_gaps, self._clock)
                )
            tx = PostgresReadTransaction(connection, self._event_gaps, self._clock)
            await connection.execute(_begun(BEGIN_READING, account_sid))
            result = await _acted(work, tx)
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
        """Run a change; the answer comes once it is on disk."""
        if conflict_scope is None or account_sid == ALL_ACCOUNTS:
            return await self._write_alone(work, origin, account_sid)
        answer = asyncio.get_running_loop().create_future()
        waiting = PendingAction(work, origin, conflict_scope, answer)
        return cast("T", await self._groups.join(account_sid, waiting))

    async def _write_alone(self, work: Work[T], origin: Origin, account_sid: str) -> T:
        async def attempt(connection: Connection[Any]) -> T:
            tx = self._writing(connection, origin, is_dry_run=False)
            await connection.execute(_begun(BEGIN_WRITING, account_sid))
            result = await _acted(work, tx)
            await _commit(connection)
            if tx.has_events:
                self._tell()
            return result

        return await self._run(attempt)

    async def _run_group(self, account_sid: str, first: list[PendingAction], more: More) -> None:
        """Run a group to its end and answer it: together, or else one by one."""
        actions = list(first)

        async def attempt(connection: Connection[Any]) -> Group:
            group = Group(connection, self._statements, partial(self._in_group, connection))
            await connection.execute(_begun(BEGIN_GROUP, account_sid))
            young_until_ms = self._clock.monotonic_ms() + limits.GROUP_MS_MAX
            try:
                await self._run_first(group, connection, account_sid, first)
                while self._clock.monotonic_ms() < young_until_ms and (later := more()):
                    actions.extend(later)
                    await group.run(later)
            except asyncpg.LockNotAvailableError as error:
                raise GroupAborted(str(error)) from error
            await group.finish()
            await _commit(connection)
            return group

        try:
            group = await self._attempt(attempt)
        except (GroupAborted, _Lost, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # Whoever is to blame hears of it from a run of its own.
            log.debug("group_rolled_back", actions=len(actions), error=repr(error))
            await asyncio.gather(*(self._answer_alone(each, account_sid) for each in actions))
        except Exception as error:  # noqa: BLE001 - as above; Busy and Unavailable come here too.
            for each in actions:
                _fail(each.answer, error)
        else:
            group.answer()
            if group.has_events:
                self._tell()

    async def _run_first(
        self,
        group: Group,
        connection: Connection[Any],
        account_sid: str,
        first: list[PendingAction],
    ) -> None:
        """Run the first actions of a group on what they are expected to read."""
        conflict_scope, fires = first[0].conflict_scope, first[0].origin.fires
        plan = self._plans.find(account_sid, conflict_scope, fires=fires)
        if len(first) > 1:
            plan = tuple(each for each in plan if each.is_setting)
        prefetched = await self._plans.fetch(connection, plan, conflict_scope) if plan else {}
        await group.run(first, prefetched)
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

    async def _answer_alone(self, waiting: PendingAction, account_sid: str) -> None:
        try:
            result = await self._write_alone(waiting.work, waiting.origin, account_sid)
        except Exception as error:  # noqa: BLE001 - the caller gets whatever it was.
            _fail(waiting.answer, error)
        else:
            if not waiting.answer.done():
                waiting.answer.set_result(result)

    async def dry_run(
        self, work: Work[T], origin: Origin = SILENT, *, account_sid: str = ALL_ACCOUNTS
    ) -> DryRun[T]:
        """Run a change for what it would give, and undo it."""

        async def attempt(connection: Connection[Any]) -> DryRun[T]:
            tx = self._writing(connection, origin, is_dry_run=True)
            await connection.execute(_begun(BEGIN_WRITING, account_sid))
            result = await _acted(work, tx)
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
        """Attempt it until it is done: again after a race and, once, after a loss."""
        losses = 0
        for number in range(limits.STORE_TRIES_MAX):
            is_last = number + 1 == limits.STORE_TRIES_MAX
            try:
                return await self._attempt(attempt)
            except asyncpg.UniqueViolationError:
                if is_last:
                    raise  # Nobody else's fault: the action itself makes two of a kind.
            except _RACED as error:
                if is_last:
                    raise Unavailable(str(error)) from error
            except _Lost as error:
                losses += 1
                if losses > 1 or is_last:
                    raise Unavailable(str(error)) from error
            await asyncio.sleep(self._random.fraction() * number / 1000)
        raise AssertionError("every try returns or raises")

    async def _attempt(self, attempt: Attempt[T]) -> T:
        """One attempt; the connection is whole afterwards, or gone."""
        connection = await self._connections.acquire()
        try:
            async with asyncio.timeout(limits.STORE_TRANSACTION_MS_MAX / 1000):
                result = await attempt(connection)
        except (Unavailable, TimeoutError) as error:
            self._connections.discard(connection, is_lost=True)
            raise Unavailable(str(error)) from error
        except Exception as error:
            if _is_loss(error):
                self._connections.discard(connection, is_lost=True)
                raise _Lost(str(error)) from error
            await self._undo(connection)
            if isinstance(error, _REFUSED):
                raise Unavailable(str(error)) from error
            raise
        except BaseException:
            self._connections.discard(connection)
            raise
        self._connections.release(connection)
        return result

    async def _undo(self, connection: Connection[Any]) -> None:
        """Roll back, so that the connection can be used again."""
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
        """Finish what is queued, and close every connection."""
        await self._groups.close()
        await self._orphaned_transactions.stop()
        await self._event_gaps.stop()
        await self._connections.close()


@lru_cache(maxsize=1024)
def _begun(text: str, account_sid: str) -> str:
    """The begin of a transaction that sees no other account: see ``postgres_schema``."""
    if account_sid == ALL_ACCOUNTS:
        return text
    assert sids.is_sid(sids.ACCOUNT, account_sid), account_sid
    return statement("{begin}; SET LOCAL parlour.account = '{sid}'", begin=text, sid=account_sid)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():  # The caller may have gone away.
        answer.set_exception(error)


def _is_loss(error: Exception) -> bool:
    """Whether the connection broke; a value that no column takes, or a time-out, is no loss."""
    return isinstance(error, LOST) and not isinstance(error, (asyncpg.DataError, *_REFUSED))


async def _acted(work: Work[T], tx: Transaction) -> T:
    """What an action gives; nothing that it calls may ask a network meanwhile."""
    outside = in_transaction.set(True)
    try:
        return await work(tx)
    finally:
        in_transaction.reset(outside)


async def _commit(connection: Connection[Any]) -> None:
    """Commit. Raises ``Unavailable`` when that failed, or when nobody knows."""
    try:
        status = await connection.execute("COMMIT")
    except (*LOST, asyncpg.PostgresError) as error:
        raise Unavailable(f"commit: {error}") from error
    if status != "COMMIT":
        raise Unavailable(f"commit: {status}")
