"""A real store for tests of statements and of the code that reads rows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.store import event_log
from parlour.store.settings_cache import SETTINGS_LOCK
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.origin import Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from parlour.vocabulary.event import Event

SECONDS_MAX = 10
SCOPE = Scope("AC1", "IS1")
"""The account and the service of the rows."""


class Database:
    """An empty store, its clock, and short forms of writing and reading."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.store = SqliteStore(path, self.clock, SystemRandom(), synchronous="OFF")

    async def write(self, action: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Run a function of a store in a separate transaction."""
        return await self.store.write(lambda tx: action(tx, *arguments))

    async def write_settings(self, action: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        """The same for a change of settings, which are cached."""

        async def locked(tx: Transaction) -> None:
            await tx.lock_name(SETTINGS_LOCK)
            await action(tx, *arguments)

        await self.store.write(locked)

    async def read(self, query: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Run a query in a separate transaction."""
        return await self.store.read(lambda tx: query(tx, *arguments))

    async def emit(
        self,
        name: str,
        payload: object,
        *,
        scope: Scope = SCOPE,
        conversation_sid: str = "CH1",
        subject_sid: str = "IM1",
        origin: Origin = Origin(fires=True),  # noqa: B008 - it is immutable.
    ) -> Event:
        """Write an event, and return it as a sink reads it."""

        async def action(tx: Transaction) -> None:
            await tx.emit(
                scope,
                name,
                conversation_sid=conversation_sid,
                subject_sid=subject_sid,
                payload=payload,
                origin=origin,
            )

        await self.store.write(action)
        return (await self.events())[-1]

    async def events(self) -> list[Event]:
        """Return all events."""
        found: list[Event] = await self.read(event_log.read_after, 0, 1000)
        return found


def run_on_database(
    folder: Path, scenario: Callable[[Database], Coroutine[Any, Any, None]]
) -> None:
    """Run a scenario on an empty store in this folder."""

    async def bounded() -> None:
        database = Database(folder / "parlour.sqlite")
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await scenario(database)
        finally:
            await database.store.close()

    asyncio.run(bounded())
