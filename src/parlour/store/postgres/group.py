"""A group on PostgreSQL: many actions side by side in one transaction, and one commit for all.

Each action of a group says beforehand how far it reaches (``ConflictScope``), and those that run
side by side are apart: whatever the order of their steps, they come to the same as one after the
other. The engine drives their coroutines by hand. Each goes on until it asks something; what all of
them ask goes to the server together, equal texts as one statement (``manifold.py``); then each gets
its answer and goes on. Their events are written last.

Most writes are not waited for: an INSERT, or an UPDATE of one row, is taken to write one row, and
is sent with the other writes and the events of the group as one statement, before anything else is
asked or at the end. If it wrote another number of rows the group is undone. What a lone action is
expected to read is asked beforehand, at once (``postgres_prefetch.py``): an update then takes four
round trips: begin, reads, writes, commit.

What locks rows waits until nobody in the group can go on without, and is then asked in the order
of the keys: so two groups that meet wait for each other in one direction only.

A group is all or nothing. When one of its actions fails after it wrote, or the server refuses a
statement, everything is undone and each action is run by itself, as if there had been no group.
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
    """The statements for many that were made so far: as many as the program has."""

    def __init__(self) -> None:
        self._batched: dict[str, BatchedStatement | None] = {}
        self._parameters: dict[str, int] = {}
        self._combined: dict[tuple[str, ...], str] = {}
        # Writes that did once not write one row: their number is asked from then on.
        self.unpredictable: set[str] = set()

    async def batched(self, connection: Connection[Any], sql: str) -> BatchedStatement | None:
        """The statement for many of a statement for one, if it has such a form."""
        if sql not in self._batched:
            prepared = await connection.prepare(sql)
            types = [each.name for each in prepared.get_parameters()]
            self._batched[sql] = batched(sql, types)
            self._parameters[sql] = len(types)
        return self._batched[sql]

    async def combined(self, connection: Connection[Any], statements: tuple[str, ...]) -> str:
        """One statement for several writes, each in its form for many."""
        if statements not in self._combined:
            writes = []
            for sql in statements:
                made = await self.batched(connection, sql)
                assert made is not None, sql
                writes.append((made, self._parameters[sql]))
            self._combined[statements] = combine_writes(writes)
        return self._combined[statements]


class GroupAborted(Exception):  # noqa: N818 - named after the condition.
    """Something is wrong with one action of a group: nothing of the group may stay."""


class PendingAction(NamedTuple):
    """An action that waits for a group, and who waits for its answer."""

    work: Work[Any]
    origin: Origin
    conflict_scope: ConflictScope
    answer: asyncio.Future[Any]


class StatementRequest(NamedTuple):
    """What an action has to know before it goes on: rows, or how many it has written."""

    sql: str
    arguments: Arguments
    writes: bool = False
    is_cached: bool = False

    def __await__(self) -> Generator[StatementRequest, Any, Any]:
        """Stop until the group has asked the server."""
        return (yield self)


class GroupTransaction(PostgresWriteTransaction):
    """What one action of a group sees of the store."""

    def __init__(
        self,
        *,
        cached_rows: Prefetched,
        prefetched: Prefetched,
        unpredictable: Container[str],
        **shared: Any,
    ) -> None:
        """``cached_rows``: rows of settings that those beside it have read.

        ``prefetched``: rows that it is expected to read, taken out as they are read;
        ``unpredictable``: statements whose number of written rows has to be asked.
        """
        super().__init__(**shared, is_dry_run=False)
        self._settings = cached_rows
        self._prefetched = prefetched
        self._unpredictable = unpredictable
        self.reads: list[RecordedRead] = []
        self.pending: list[tuple[str, Arguments]] = []
        self.events: list[Arguments] = []
        self.has_written = False

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """The first row, or None."""
        key = (sql, arguments)
        if not self.has_written:
            self.reads.append(RecordedRead(sql, arguments, is_setting=False))
            if key in self._prefetched:
                # Taken out: a second look may be for what another has changed meanwhile.
                return self._prefetched.pop(key)
        rows = await StatementRequest(sql, arguments)
        return cast("Row", rows[0]) if rows else None

    async def one_cached(self, sql: str, *arguments: object) -> Row | None:
        """As ``one``; read once for all who run side by side."""
        key = (sql, arguments)
        if not self.has_written:
            self.reads.append(RecordedRead(sql, arguments, is_setting=True))
        if key not in self._settings:
            rows = await StatementRequest(sql, arguments, is_cached=True)
            self._settings[key] = rows[0] if rows else None
        return self._settings[key]

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Every row."""
        return cast("list[Row]", await StatementRequest(sql, arguments))

    async def run(self, sql: str, *arguments: object) -> int:
        """Change rows, and say how many."""
        self.has_written = True
        self._prefetched.clear()
        if written_table(sql) and sql not in self._unpredictable:
            self.pending.append((sql, arguments))
            return 1
        return cast("int", await StatementRequest(sql, arguments, writes=True))

    async def lock_name(self, *name: str) -> NoReturn:
        """No matter for an action of a group: others of the group would hold the name too."""
        raise GroupAborted(f"a name is held: {name}")

    async def _append_event(self, *values: object) -> None:
        self.events.append(values)


class _ActionRun:
    """One action of a group, and where it stands."""

    def __init__(self, waiting: PendingAction, tx: GroupTransaction) -> None:
        self.answer = waiting.answer
        self.tx = tx
        self.coroutine = cast("Coroutine[Any, Any, Any]", waiting.work(tx))
        self.ask: StatementRequest | None = None
        self.result: object = None
        self.error: ApiError | None = None

    @property
    def is_cached(self) -> bool:
        """Whether it asks for a setting."""
        return self.ask is not None and self.ask.is_cached

    def resume(self, answer: object = None) -> None:
        """Run until it asks something or has ended. Raises ``GroupAborted``."""
        self.ask = None
        outside = in_transaction.set(True)
        try:
            asked = self.coroutine.send(answer)
        except StopIteration as stop:
            self.result = stop.value
            return
        except ApiError as error:
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
        if not isinstance(asked, StatementRequest):
            raise GroupAborted("an action of a group awaited something that is not its transaction")
        self.ask = asked


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
        """Whether any action told of anything."""
        return bool(self._events)

    @property
    def first_reads(self) -> list[RecordedRead] | None:
        """What the first action has read before it wrote; None if it was refused."""
        first = self._members[0]
        return None if first.error is not None else first.tx.reads

    async def run(
        self, actions: Sequence[PendingAction], prefetched: Prefetched | None = None
    ) -> None:
        """Run actions that are apart to their ends, side by side. Raises ``GroupAborted``.

        ``prefetched``: settings for all of them and, for a single one, rows it will read.
        """
        # Read again: settings may have changed since the group began.
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
            for member in members:
                member.resume()
                while member.is_cached:
                    # At once: then all others know it too.
                    await self._step([member])
            while going := [each for each in members if each.ask is not None]:
                await self._step(going)
        finally:
            for member in members:
                member.coroutine.close()
        for member in members:
            self._events += member.tx.events

    async def _step(self, going: list[_ActionRun]) -> None:
        """Ask what those ask who need no lock, or what all ask; and let them go on."""
        if not all(each.is_cached for each in going):
            await self._write_pending([])
        asking: dict[tuple[str, bool], list[_ActionRun]] = defaultdict(list)
        for member in going:
            assert member.ask is not None
            asking[member.ask.sql, member.ask.writes].append(member)
        free = {text: those for text, those in asking.items() if not locks_rows(text[0])}
        for (sql, writes), those in (free or asking).items():
            arguments = [each.ask.arguments for each in those if each.ask is not None]
            answer = self._write if writes else self._read
            answers = await answer(sql, arguments)
            for member, each in zip(those, answers, strict=True):
                member.resume(each)

    async def _read(self, sql: str, arguments: list[Arguments]) -> list[list[Row]]:
        """The rows for each of these arguments."""
        distinct = list(dict.fromkeys(arguments))
        if locks_rows(sql):
            distinct.sort(key=repr)
        found: dict[Arguments, list[Row]] = {each: [] for each in distinct}
        made = await self._batched(sql) if len(distinct) > 1 else None
        if made is None:
            for each in distinct:
                rows = await self._connection.fetch(sql, *each)
                found[each] = [tuple(row) for row in rows]
        else:
            for row in await self._connection.fetch(made.text, *zip(*distinct, strict=True)):
                number, *values = row
                found[distinct[number - 1]].append(tuple(values))
        return [list(found[each]) for each in arguments]

    async def _write(self, sql: str, arguments: list[Arguments]) -> list[int]:
        """How many rows were written for each of these arguments."""
        made = await self._batched(sql) if len(arguments) > 1 else None
        if made is None:
            statuses = [await self._connection.execute(sql, *each) for each in arguments]
            return [int(status.rpartition(" ")[2]) for status in statuses]
        rows = await self._connection.fetch(made.text, *zip(*arguments, strict=True))
        if not made.numbers_rows:
            return [1] * len(arguments)
        counts = [0] * len(arguments)
        for (number,) in rows:
            counts[number - 1] += 1
        return counts

    async def _batched(self, sql: str) -> BatchedStatement | None:
        return await self._statements.batched(self._connection, sql)

    async def finish(self) -> None:
        """Write what is pending, and the events in the order in which their actions began."""
        await self._write_pending(self._events)

    async def _write_pending(self, events: list[Arguments]) -> None:
        """Write what the actions left to be written, and these events. Raises ``GroupAborted``."""
        writes: dict[str, list[Arguments]] = {}
        for member in self._members:
            for sql, arguments in member.tx.pending:
                writes.setdefault(sql, []).append(arguments)
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
        columns = [column for rows in writes.values() for column in zip(*rows, strict=True)]
        counts = await self._connection.fetchrow(text, *columns)
        assert counts is not None
        for place, (sql, rows) in enumerate(writes.items()):
            self._must_be_one_each(sql, len(rows), counts[2 * place], counts[2 * place + 1])

    async def _write_in_order(self) -> None:
        """Write a table that several statements change: for each action in its order."""
        rounds = max(len(member.tx.pending) for member in self._members)
        for number in range(rounds):
            writes: dict[str, list[Arguments]] = {}
            for member in self._members:
                for sql, arguments in member.tx.pending[number : number + 1]:
                    writes.setdefault(sql, []).append(arguments)
            for sql, rows in writes.items():
                counts = await self._write(sql, rows)
                self._must_be_one_each(sql, len(rows), sum(counts), sum(map(bool, counts)))

    def _must_be_one_each(self, sql: str, expected: int, written: int, askers: int) -> None:
        """Undo the group where a write was not of one row, as its action was answered."""
        if written != expected or askers != expected:
            self._statements.unpredictable.add(sql)
            raise GroupAborted(f"{written} rows written in place of {expected}")

    def answer(self) -> None:
        """Answer everybody: the group is on disk."""
        for member in self._members:
            if member.answer.done():  # The caller went away; the change is kept all the same.
                continue
            if member.error is not None:
                member.answer.set_exception(member.error)
            else:
                member.answer.set_result(member.result)
