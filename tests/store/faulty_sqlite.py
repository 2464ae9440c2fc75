"""A SQLite store whose writer can fail and whose commits can be blocked, and actions for it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from pathlib import Path

    import apsw

    from parlour.store.transaction import Transaction, Work

SCOPE = Scope("AC" + "0" * 32)
SAVE = "INSERT INTO sink_position (sink, sequence) VALUES ($1, $2)"
READ = "SELECT sequence FROM sink_position ORDER BY sequence LIMIT 1000"


class FaultyWriter:
    """The writer's connection. ``failures`` has an error for the next run of a statement."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.failures: dict[str, Exception] = {}
        self.statements: list[str] = []
        self.rolls_back = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @property
    def in_transaction(self) -> bool:
        """Return False once, as after a rollback by SQLite itself."""
        if self.rolls_back:
            self.rolls_back = False
            self._connection.execute("ROLLBACK")
        return self._connection.in_transaction

    def execute(self, sql: str, *arguments: Any) -> Any:
        """Raise the error for this statement, or run it."""
        self.statements.append(sql)
        if failure := self.failures.pop(sql, None):
            raise failure
        return self._connection.execute(sql, *arguments)

    def begins(self) -> int:
        """Return how many groups were started."""
        return self.statements.count("BEGIN IMMEDIATE")


class FaultyStore:
    """A store whose writer can fail, and whose commits can be blocked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.store = SqliteStore(path, self.clock, SystemRandom(), synchronous="OFF")
        self.writer = FaultyWriter(self.store._writer)
        self.store._writer = self.writer  # type: ignore[assignment]
        self.may_commit = threading.Event()
        self.may_commit.set()
        commit = self.store._commit

        def blocked() -> None:
            assert self.may_commit.wait(10)
            commit()

        self.store._commit = blocked  # type: ignore[method-assign]

    async def rows(self) -> list[int]:
        """Return the numbers that are in the store."""

        async def work(tx: Transaction) -> list[int]:
            return [row[0] for row in await tx.all(READ)]

        return await self.store.read(work)

    async def committing(self) -> None:
        """Wait until a commit is in flight."""
        async with asyncio.timeout(10):
            while not self.store._committing:  # noqa: ASYNC110 - the state has no event.
                await asyncio.sleep(0.001)


def write(number: int, *, error: Exception | None = None) -> Work[int]:
    """Return an action that writes a row and an event, and raises an error after that if given."""

    async def work(tx: Transaction) -> int:
        await tx.run(SAVE, f"sink {number}", number)
        await tx.emit(SCOPE, "made", subject_sid="CH1", payload=number)
        if error is not None:
            raise error
        return number

    return work


async def read_only(_tx: Transaction) -> str:
    """An action that writes nothing."""
    return "nothing"
