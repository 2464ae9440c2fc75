"""A group on PostgreSQL: many actions side by side in one transaction, and one commit for all.

Each action of a group says beforehand how far it reaches (``Reach``), and those that run side by
side are apart: whatever the order of their steps, they come to the same as one after the other.
The engine drives their coroutines by hand. Each goes on until it asks something; what all of them
ask goes to the server together, equal texts as one statement (``manifold.py``); then each gets its
answer and goes on. Their events are written last.

What locks rows waits until nobody in the group can go on without, and is then asked in the order
of the keys: so two groups that meet wait for each other in one direction only.

A group is all or nothing. When one of its actions fails after it wrote, or the server refuses a
statement, everything is undone and each action is run by itself, as if there had been no group.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from parlour.store.dialect import locks_rows
from parlour.store.manifold import Many, many
from parlour.store.postgres_transaction import APPEND, WriteTransaction
from parlour.store.transaction import acting
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Generator, Sequence

    from asyncpg import Connection

    from parlour.store.postgres_transaction import Recalled
    from parlour.store.transaction import Reach, Row, Work
    from parlour.vocabulary.origin import Origin

Arguments = tuple[object, ...]
Texts = dict[str, Many | None]
"""The statements for many that were made so far: as many as the program has."""


class FellApart(Exception):  # noqa: N818 - named after the condition.
    """Something is wrong with one action of a group: nothing of the group may stay."""


class Waiting(NamedTuple):
    """An action that waits for a group, and who waits for its answer."""

    work: Work[Any]
    origin: Origin
    reach: Reach
    answer: asyncio.Future[Any]


class Ask(NamedTuple):
    """What an action has to know before it goes on: rows, or how many it has written."""

    sql: str
    arguments: Arguments
    writes: bool = False
    recalls: bool = False

    def __await__(self) -> Generator[Ask, Any, Any]:
        """Stop until the group has asked the server."""
        return (yield self)


class GroupTransaction(WriteTransaction):
    """What one action of a group sees of the store."""

    def __init__(self, *, recalled: Recalled, **shared: Any) -> None:
        """``recalled``: rows of settings that those beside it have read."""
        super().__init__(**shared, rehearses=False)
        self._settings = recalled
        self.told: list[Arguments] = []
        self.has_written = False

    async def one(self, sql: str, *arguments: object) -> Row | None:
        """The first row, or None."""
        rows = await Ask(sql, arguments)
        return cast("Row", rows[0]) if rows else None

    async def recall(self, sql: str, *arguments: object) -> Row | None:
        """As ``one``; read once for all who run side by side."""
        key = (sql, arguments)
        if key not in self._settings:
            rows = await Ask(sql, arguments, recalls=True)
            self._settings[key] = rows[0] if rows else None
        return self._settings[key]

    async def all(self, sql: str, *arguments: object) -> list[Row]:
        """Every row."""
        return cast("list[Row]", await Ask(sql, arguments))

    async def run(self, sql: str, *arguments: object) -> int:
        """Change rows, and say how many."""
        self.has_written = True
        return cast("int", await Ask(sql, arguments, writes=True))

    async def hold(self, *name: str) -> NoReturn:
        """No matter for an action of a group: others of the group would hold the name too."""
        raise FellApart(f"a name is held: {name}")

    async def _append(self, *values: object) -> None:
        self.told.append(values)


class _Member:
    """One action of a group, and where it stands."""

    def __init__(self, waiting: Waiting, tx: GroupTransaction) -> None:
        self.answer = waiting.answer
        self.tx = tx
        self.coroutine = cast("Coroutine[Any, Any, Any]", waiting.work(tx))
        self.ask: Ask | None = None
        self.result: object = None
        self.error: ApiError | None = None

    @property
    def recalls(self) -> bool:
        """Whether it asks for a setting."""
        return self.ask is not None and self.ask.recalls

    def go_on(self, answer: object = None) -> None:
        """Run until it asks something or has ended. Raises ``FellApart``."""
        self.ask = None
        outside = acting.set(True)
        try:
            asked = self.coroutine.send(answer)
        except StopIteration as stop:
            self.result = stop.value
            return
        except ApiError as error:
            if self.tx.has_written:
                raise FellApart(str(error)) from error
            self.error = error
            self.tx.told.clear()
            return
        except FellApart:
            raise
        except Exception as error:
            raise FellApart(repr(error)) from error
        finally:
            acting.reset(outside)
        if not isinstance(asked, Ask):
            raise FellApart("an action of a group awaited something that is not its transaction")
        self.ask = asked


class Group:
    """The actions that share one transaction."""

    def __init__(
        self,
        connection: Connection[Any],
        texts: Texts,
        make_transaction: Callable[..., GroupTransaction],
    ) -> None:
        self._connection = connection
        self._texts = texts
        self._make_transaction = make_transaction
        self._members: list[_Member] = []
        self._told: list[Arguments] = []

    @property
    def has_events(self) -> bool:
        """Whether any action told of anything."""
        return bool(self._told)

    async def run(self, actions: Sequence[Waiting]) -> None:
        """Run actions that are apart to their ends, side by side. Raises ``FellApart``."""
        recalled: Recalled = {}  # Anew: settings may have changed since the group began.
        members = [
            _Member(each, self._make_transaction(recalled=recalled, origin=each.origin))
            for each in actions
        ]
        self._members += members
        try:
            for member in members:
                member.go_on()
                while member.recalls:
                    # At once: then all others know it too.
                    await self._step([member])
            while going := [each for each in members if each.ask is not None]:
                await self._step(going)
        finally:
            for member in members:
                member.coroutine.close()
        for member in members:
            self._told += member.tx.told

    async def _step(self, going: list[_Member]) -> None:
        """Ask what those ask who need no lock, or what all ask; and let them go on."""
        asking: dict[tuple[str, bool], list[_Member]] = defaultdict(list)
        for member in going:
            assert member.ask is not None
            asking[member.ask.sql, member.ask.writes].append(member)
        free = {text: those for text, those in asking.items() if not locks_rows(text[0])}
        for (sql, writes), those in (free or asking).items():
            arguments = [each.ask.arguments for each in those if each.ask is not None]
            answer = self._write if writes else self._read
            answers = await answer(sql, arguments)
            for member, each in zip(those, answers, strict=True):
                member.go_on(each)

    async def _read(self, sql: str, arguments: list[Arguments]) -> list[list[Row]]:
        """The rows for each of these arguments."""
        distinct = list(dict.fromkeys(arguments))
        if locks_rows(sql):
            distinct.sort(key=repr)
        found: dict[Arguments, list[Row]] = {each: [] for each in distinct}
        made = await self._many(sql) if len(distinct) > 1 else None
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
        made = await self._many(sql) if len(arguments) > 1 else None
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

    async def _many(self, sql: str) -> Many | None:
        if sql not in self._texts:
            prepared = await self._connection.prepare(sql)
            types = [each.name for each in prepared.get_parameters()]
            self._texts[sql] = many(sql, types)
        return self._texts[sql]

    async def write_events(self) -> None:
        """Write what the actions told, in the order in which they were begun."""
        if self._told:
            await self._write(APPEND, self._told)

    def answer(self) -> None:
        """Answer everybody: the group is on disk."""
        for member in self._members:
            if member.answer.done():  # The caller went away; the change is kept all the same.
                continue
            if member.error is not None:
                member.answer.set_exception(member.error)
            else:
                member.answer.set_result(member.result)
