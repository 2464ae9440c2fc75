"""A separate event log and sinks for tests of the dispatcher."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from parlour.dispatch.dispatcher import Dispatcher
from parlour.store import event_log
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from parlour.store.transaction import Transaction
    from parlour.vocabulary.event import Event

SCOPE = Scope("AC" + "0" * 31 + "1", "IS" + "0" * 31 + "1")
SECONDS_MAX = 20.0


class EventLogSetup:
    """A store, and its event log."""

    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.store = SqliteStore(path, self.clock, SystemRandom())

    async def write(self, *names: str) -> None:
        """One event of each name, in one commit."""

        async def emit(tx: Transaction) -> None:
            for name in names:
                await tx.emit(SCOPE, name, subject_sid=name, payload={"name": name})

        await self.store.write(emit)

    async def position(self, sink: str) -> int | None:
        """Return the stored position of a sink."""
        return await self.store.read(lambda tx: event_log.find_position(tx, sink))

    async def sequences(self) -> list[int]:
        """The numbers of the events that are still there."""
        found = await self.store.read(lambda tx: event_log.read_after(tx, 0, 100_000))
        return [event.sequence for event in found]

    def dispatcher(
        self, *sinks: RecordingSink, wakes: bool = True, poll_ms: int = 20, retry_ms: int = 10
    ) -> Dispatcher:
        """Return a dispatcher, woken after commits unless a test needs it to poll."""
        made = Dispatcher(self.store, sinks, self.clock, poll_ms=poll_ms, retry_ms=retry_ms)
        if wakes:
            self.store.on_commit(made.wake)
        return made


class RecordingSink:
    """A sink that records its events, and fails, hangs or dies on request."""

    def __init__(self, name: str = "taken", *, reads_from_start: bool = True) -> None:
        self.name = name
        self.reads_from_start = reads_from_start
        self.names: list[str] = []
        self.batches: list[int] = []
        self.begun = 0
        self.failures = 0
        self.ignores: set[str] = set()
        self.keeps_at_once = True
        self.gate: asyncio.Event | None = None

    def wants(self, event: Event) -> bool:
        """Everything but what it ignores."""
        return event.name not in self.ignores

    async def handle(self, events: list[Event]) -> bool:
        """Record the events; those that fail are not recorded."""
        self.begun += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            self.failures -= 1
            message = "told to fail"
            raise RuntimeError(message)
        self.names += [event.name for event in events]
        self.batches.append(len(events))
        return self.keeps_at_once


Scenario = Callable[[EventLogSetup], Awaitable[None]]
ScenarioRunner = Callable[[Scenario], None]


def scenario_runner(
    folder: Path, prepare: Callable[[Transaction], Awaitable[None]] | None = None
) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate log, after preparing its store."""

    def run_scenario(scenario: Scenario) -> None:
        async def run() -> None:
            log = EventLogSetup(folder / "log.sqlite3")
            try:
                if prepare is not None:
                    await log.store.write(prepare)
                await scenario(log)
            finally:
                await log.store.close()

        asyncio.run(run())

    return run_scenario


def numbered(count: int) -> list[str]:
    """Return names of events whose order is the order of the events."""
    return [f"event{number:04}" for number in range(count)]


@asynccontextmanager
async def running(made: Dispatcher) -> AsyncIterator[None]:
    """A dispatcher that runs, and is stopped in the end."""
    await made.start()
    try:
        yield
    finally:
        await made.stop()


async def crash(made: Dispatcher) -> None:
    """The end of a dispatcher that gets no chance to keep anything."""
    for task in made._tasks:
        task.cancel()
    await asyncio.gather(*made._tasks, return_exceptions=True)
    made._tasks = []


async def poll_until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = asyncio.get_running_loop().time() + SECONDS_MAX
    while not is_so():
        assert asyncio.get_running_loop().time() < deadline, "still not so"
        await asyncio.sleep(0.002)
