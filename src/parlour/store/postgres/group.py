"""A group on PostgreSQL: many actions concurrently in one transaction, with one commit for all.

**Why it is correct.** The conflict scopes of actions that run concurrently are disjoint
(``ConflictScope``): in any order of their steps, the result is the same as one by one.

**Execution.** The group resumes the coroutines of its actions by hand. Each runs until it awaits a
``StatementRequest``. The requests of all actions are sent together, equal texts as one batched
statement (``batching.py``); then each coroutine is resumed with its rows.

**Pipelined writes.** Most writes are not awaited: an INSERT, or an UPDATE by key, is assumed to
write one row. It is queued, and sent in one statement with the other queued writes before the next
read or at the end; the statement at the end also inserts the events. If it wrote another number of
rows, the group is aborted and that statement is awaited from then on. The reads that a single
action is expected to make are prefetched (``prefetch.py``). An update then takes four round trips:
BEGIN, reads, writes, COMMIT.

**Lock order.** A statement that locks rows is sent only when every action waits for a lock, and in
the order of its keys. So two groups cannot deadlock.

**Abort.** A group is all or nothing: when an action fails after a write, or the server rejects a
statement, ``GroupAborted`` rolls back the transaction, and the engine executes each action alone.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from parlour.store.dialect import locks_rows
from parlour.store.postgres.batching import BatchedStatement, batched, combine_writes, written_table
from parlour.store.postgres.prefetch import Prefetched, RecordedRead
from parlour.store.postgres.transaction import PostgresWriteTransaction
from parlour.store.transaction import in_transaction
from parlour.store.write_transaction import APPEND_EVENT
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Container, Coroutine, Generator, Sequence

    from asyncpg import Connection

    from parlour.store.transaction import ConflictScope, Row, Work
    from parlour.vocabulary.origin import Origin

Arguments = tuple[object, ...]


class StatementCache:
    """Batched statements by text; bounded by the number of statements in the program."""

    def __init__(self) -> None:
        self._batched: dict[str, BatchedStatement | None] = {}
        self._parameters: dict[str, int] = {}
        self._combined: dict[tuple[str, ...], str] = {}
        # Writes that once did not write one row: their row count is awaited from then on.
        self.unpredictable: set[str] = set()

    async def batched(self, connection: Connection[Any], sql: str) -> BatchedStatement | None:
        """Return the batched form of a statement, or None if it has none."""
        if sql not in self._batched:
            # The server infers the types of the parameters; arrays need them explicitly.
            prepared = await connection.prepare(sql)
            types = [each.name for each in prepared.get_parameters()]
            self._batched[sql] = batched(sql, types)
            self._parameters[sql] = len(types)
        return self._batched[sql]

    async def combined(self, connection: Connection[Any], statements: tuple[str, ...]) -> str:
        """Return one statement for several writes, each in its batched form."""
        if statements not in self._combined:
            writes = []
            for sql in statements:
                batch = await self.batched(connection, sql)
                assert batch is not None, sql
                writes.append((batch, self._parameters[sql]))
            self._combined[statements] = combine_writes(writes)
        return self._combined[statements]


class GroupAborted(Exception):  # noqa: N818 - named after the condition.
    """One action cannot run in a group: the transaction of the group must be rolled back."""


class PendingAction(NamedTuple):
    """An action in the queue, and the future of its result."""

    work: Work[Any]
    origin: Origin
    conflict_scope: ConflictScope
    future: asyncio.Future[Any]


class StatementRequest(NamedTuple):
    """A statement that an action awaits: for its rows, or for the number of rows it wrote."""

    sql: str
    arguments: Arguments
    writes: bool = False
    is_cached: bool = False

    def __await__(self) -> Generator[StatementRequest, Any, Any]:
        """Suspend the action until the group has run the statement."""
        return (yield self)


class GroupTransaction(PostgresWriteTransaction):
    """The transaction of the group, as one of its actions uses it."""

    def __init__(
        self,
        *,
        cached_rows: Prefetched,
        prefetched: Prefetched,
        unpredictable: Container[str],
        **shared: Any,
    ) -> None:
        """``cached_rows``: settings that actions of this run have read, shared by all of them.

        ``prefetched``: rows that the action is expected to read, removed as it reads them;
        ``unpredictable``: writes whose number of rows must be awaited.
        """
        super().__init__(**shared, is_dry_run=False)
        self._cached_rows = cached_rows
        self._prefetched = prefetched
        self._unpredictable = unpredictable
        self.reads: list[RecordedRead] = []
        self.pending: list[tuple[str, Arguments]] = []
        self.events: list[Arguments] = []
        self.has_written = False

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row, or None."""
        key = (sql, arguments)
        if not self.has_written:
            self.reads.append(RecordedRead(sql, arguments, is_setting=False))
            if key in self._prefetched:
                # Removed: a second read of it may expect a later state.
                return self._prefetched.pop(key)
        rows = await StatementRequest(sql, arguments)
        return cast("Row", rows[0]) if rows else None

    async def one_cached(self, sql: str, *arguments: object) -> Row | None:
        """Return the first row of settings, or None; read once for all concurrent actions."""
        key = (sql, arguments)
        if not self.has_written:
            self.reads.append(RecordedRead(sql, arguments, is_setting=True))
        if key not in self._cached_rows:
            rows = await StatementRequest(sql, arguments, is_cached=True)
            self._cached_rows[key] = rows[0] if rows else None
        return self._cached_rows[key]

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Return every row."""
        return cast("list[Row]", await StatementRequest(sql, arguments))

    async def run(self, sql: str, *arguments: object) -> int:
        """Change rows; return how many. A predictable write is queued."""
        self.has_written = True
        self._prefetched.clear()
        if written_table(sql) and sql not in self._unpredictable:
            self.pending.append((sql, arguments))
            return 1
        return cast("int", await StatementRequest(sql, arguments, writes=True))

    async def lock_name(self, *name: str) -> NoReturn:
        """Abort: the whole group would own the lock, which would exclude none of its actions."""
        raise GroupAborted(f"an action of a group locks the name {name}")

    async def _append_event(self, values: tuple[object, ...]) -> None:
        self.events.append(values)


# state    invariant                      next state, and its cause
# -------  -----------------------------  ------------------------------------------------------
# running  in ``resume``                  waiting: it awaits a request
#                                         finished: it returned, or raised ApiError before it
#                                         wrote
#                                         group aborted: it raised after a write, raised another
#                                         error, or locked a name
# waiting  ``request`` is set             running: the rows have arrived
class _ActionRun:
    """The execution of one action."""

    def __init__(self, action: PendingAction, tx: GroupTransaction) -> None:
        self.future = action.future
        self.tx = tx
        self.coroutine = cast("Coroutine[Any, Any, Any]", action.work(tx))
        self.request: StatementRequest | None = None
        self.result: object = None
        self.error: ApiError | None = None

    @property
    def is_cached(self) -> bool:
        """Return whether the action awaits a row of settings."""
        return self.request is not None and self.request.is_cached

    def resume(self, result: object = None) -> None:
        """Run until the next request or to the end. Raises ``GroupAborted``."""
        self.request = None
        outside = in_transaction.set(True)
        try:
            awaited = self.coroutine.send(result)
        except StopIteration as stop:
            self.result = stop.value
            return
        except ApiError as error:
            # A rejection is a normal result, unless writes of the action would be committed.
            if self.tx.has_written:
                raise GroupAborted(str(error)) from error
            self.error = error
            self.tx.events.clear()
            return
        except GroupAborted:
            raise
        except Exception as error:
            raise GroupAborted(repr(error)) from error
        finally:
            in_transaction.reset(outside)
        if not isinstance(awaited, StatementRequest):
            raise GroupAborted("an action of a group awaited something other than its transaction")
        self.request = awaited


class Group:
    """The actions that share one transaction."""

    def __init__(
        self,
        connection: Connection[Any],
        statements: StatementCache,
        make_transaction: Callable[..., GroupTransaction],
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._make_transaction = make_transaction
        self._members: list[_ActionRun] = []
        self._events: list[Arguments] = []

    @property
    def has_events(self) -> bool:
        """Return whether any action has emitted an event."""
        return bool(self._events)

    @property
    def first_reads(self) -> list[RecordedRead] | None:
        """Return the reads of the first action before its first write; None if it failed."""
        first = self._members[0]
        return None if first.error is not None else first.tx.reads

    async def run(
        self, actions: Sequence[PendingAction], prefetched: Prefetched | None = None
    ) -> None:
        """Run disjoint actions concurrently, to their ends. Raises ``GroupAborted``.

        ``prefetched``: settings for all of them and, for a single one, the rows it will read.
        """
        # Not shared with an earlier run: settings may have changed since the group started.
        cached_rows: Prefetched = dict(prefetched or {})
        shared = {
            "cached_rows": cached_rows,
            "prefetched": dict(prefetched or {}) if len(actions) == 1 else {},
            "unpredictable": self._statements.unpredictable,
        }
        members = [
            _ActionRun(each, self._make_transaction(**shared, origin=each.origin))
            for each in actions
        ]
        self._members += members
        try:
            # Start each action up to its first request that is not of settings.
            for member in members:
                member.resume()
                while member.is_cached:
                    # At once: the other actions then find it in cached_rows.
                    await self._step([member])
            while waiting := [each for each in members if each.request is not None]:
                await self._step(waiting)
        finally:
            # After an abort, actions are still suspended: closing them runs their finally blocks.
            for member in members:
                member.coroutine.close()
        for member in members:
            self._events += member.tx.events

    async def _step(self, waiting: list[_ActionRun]) -> None:
        """Run the requests that take no lock, or all if each takes one; resume their actions."""
        # A read must see earlier writes of the action. Settings are not written in a group.
        if not all(each.is_cached for each in waiting):
            await self._write_pending([])
        requests: dict[tuple[str, bool], list[_ActionRun]] = defaultdict(list)
        for member in waiting:
            assert member.request is not None
            requests[member.request.sql, member.request.writes].append(member)
        # Lock order, see the module docstring.
        unlocked = {key: members for key, members in requests.items() if not locks_rows(key[0])}
        for (sql, writes), members in (unlocked or requests).items():
            arguments = [each.request.arguments for each in members if each.request is not None]
            run = self._write if writes else self._read
            results = await run(sql, arguments)
            for member, each in zip(members, results, strict=True):
                member.resume(each)

    async def _read(self, sql: str, arguments: list[Arguments]) -> list[list[Row]]:
        """Return the rows for each of these arguments, in one round trip."""
        # Actions of one conversation lock and read the same row: once is enough.
        distinct = list(dict.fromkeys(arguments))
        if locks_rows(sql):
            # Any total order that all groups share prevents deadlocks; repr() also sorts None.
            distinct.sort(key=repr)
        found: dict[Arguments, list[Row]] = {each: [] for each in distinct}
        batch = await self._batched(sql) if len(distinct) > 1 else None
        if batch is None:
            for each in distinct:
                rows = await self._connection.fetch(sql, *each)
                found[each] = [tuple(row) for row in rows]
        else:
            for row in await self._connection.fetch(batch.text, *zip(*distinct, strict=True)):
                number, *values = row
                found[distinct[number - 1]].append(tuple(values))
        # A list for each action: none sees the changes that another makes to its list.
        return [list(found[each]) for each in arguments]

    async def _write(self, sql: str, arguments: list[Arguments]) -> list[int]:
        """Return the number of rows written for each of these arguments."""
        batch = await self._batched(sql) if len(arguments) > 1 else None
        if batch is None:
            statuses = [await self._connection.execute(sql, *each) for each in arguments]
            return [int(status.rpartition(" ")[2]) for status in statuses]
        rows = await self._connection.fetch(batch.text, *zip(*arguments, strict=True))
        # An INSERT without row numbers writes one row for each, or raises.
        if not batch.numbers_rows:
            return [1] * len(arguments)
        counts = [0] * len(arguments)
        for (number,) in rows:
            counts[number - 1] += 1
        return counts

    async def _batched(self, sql: str) -> BatchedStatement | None:
        return await self._statements.batched(self._connection, sql)

    async def finish(self) -> None:
        """Run the queued writes and insert the events, in one statement.

        The events are in the order of their actions.
        """
        await self._write_pending(self._events)

    async def _write_pending(self, events: list[Arguments]) -> None:
        """Run the queued writes and insert these events, in one statement.

        Two writes that change one table run before it, one by one. Raises ``GroupAborted``.
        """
        writes: dict[str, list[Arguments]] = {}
        for member in self._members:
            for sql, arguments in member.tx.pending:
                writes.setdefault(sql, []).append(arguments)
        # The parts of one WITH statement run in no defined order, on one snapshot.
        tables = [written_table(sql) for sql in writes]
        if len(set(tables)) < len(tables):
            await self._write_in_order()
            writes = {}
        for member in self._members:
            member.tx.pending.clear()
        if events:
            writes[APPEND_EVENT] = events
        if not writes:
            return
        text = await self._statements.combined(self._connection, tuple(writes))
        # One array for each parameter of each write.
        columns = [column for rows in writes.values() for column in zip(*rows, strict=True)]
        counts = await self._connection.fetchrow(text, *columns)
        assert counts is not None
        for place, (sql, rows) in enumerate(writes.items()):
            self._require_one_row_each(sql, len(rows), counts[2 * place], counts[2 * place + 1])

    async def _write_in_order(self) -> None:
        """Run queued writes one by one: two of them change one table, so their order matters."""
        rounds = max(len(member.tx.pending) for member in self._members)
        for number in range(rounds):
            writes: dict[str, list[Arguments]] = {}
            for member in self._members:
                for sql, arguments in member.tx.pending[number : number + 1]:
                    writes.setdefault(sql, []).append(arguments)
            for sql, rows in writes.items():
                counts = await self._write(sql, rows)
                self._require_one_row_each(sql, len(rows), sum(counts), sum(map(bool, counts)))

    def _require_one_row_each(self, sql: str, expected: int, written: int, writers: int) -> None:
        """Abort the group if a queued write did not write the one row that was assumed."""
        if written != expected or writers != expected:
            self._statements.unpredictable.add(sql)
            raise GroupAborted(f"{written} rows written instead of {expected}")

    def set_results(self) -> None:
        """Set the results of all actions: the group is committed."""
        for member in self._members:
            if member.future.done():  # The caller was cancelled; its change is committed.
                continue
            if member.error is not None:
                member.future.set_exception(member.error)
            else:
                member.future.set_result(member.result)
