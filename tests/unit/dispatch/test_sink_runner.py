"""The end of a term: the sink first, then the checkpoint; an error of the sink is retried."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from parlour.dispatch.dispatcher import Dispatcher, SharedBatch, SinkRunner
from parlour.store import event_log
from parlour.vocabulary.clock import FakeClock
from tests.events.event_log_setup import poll_until
from tests.unit.delivery.database import Database, run_on_database

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


class LogStore:
    """A store of one event, which records the positions that are written."""

    is_shared = False

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.saved: list[int] = []
        self.save_failures = 0

        async def find_position(*_: Any) -> int:
            return self.saved[-1] if self.saved else 0

        async def save_position(_tx: object, _sink: str, position: int) -> None:
            if self.save_failures:
                self.save_failures -= 1
                raise RuntimeError("not saved")
            self.saved.append(position)

        async def read_after(_tx: object, position: int, _count: int) -> list[Any]:
            return [SimpleNamespace(sequence=1)] if position < 1 else []

        monkeypatch.setattr(event_log, "find_position", find_position)
        monkeypatch.setattr(event_log, "save_position", save_position)
        monkeypatch.setattr(event_log, "read_after", read_after)

    async def read(self, work: Callable[[Any], Coroutine[Any, Any, Any]], **_: Any) -> Any:
        return await work(None)

    write = read


class FakeLease:
    """A lease whose current term a test replaces."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.term: Any = None
        self.renew()

    def renew(self) -> None:
        """End the current term, and start another one."""
        if self.term is not None:
            self.term.is_current = lambda: False
        self.term = SimpleNamespace(store=self._store, is_current=lambda: True)

    def current_term(self) -> Any:
        return self.term

    async def start(self) -> None:
        """Do nothing: there is a term already."""

    async def stop(self) -> None:
        """Do nothing: no task renews it."""


class LeasedRecordingSink:
    """A sink that records its terms, and fails to end them as often as a test requests."""

    name = "leased"
    reads_from_start = True

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.end_failures = 0

    async def start_term(self, _term: object) -> None:
        self.calls.append("start")

    async def end_term(self) -> None:
        self.calls.append("end")
        if self.end_failures:
            self.end_failures -= 1
            raise RuntimeError("not ended")

    def wants(self, _event: object) -> bool:
        return True

    async def handle(self, _events: object) -> bool:
        self.calls.append("handle")
        return False


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    return LogStore(monkeypatch)


def runner_of(store: Any, sink: Any) -> tuple[SinkRunner, FakeLease]:
    lease: Any = FakeLease(store)
    return SinkRunner(store, sink, lease, SharedBatch()), lease


def test_a_term_that_the_sink_failed_to_end_is_ended_before_the_next_one_starts(
    store: Any,
) -> None:
    async def scenario() -> None:
        sink = LeasedRecordingSink()
        runner, _ = runner_of(store, sink)
        assert await runner.try_start_term()
        await runner.step()
        sink.end_failures = 1
        with pytest.raises(RuntimeError):
            await runner.end_term()
        assert store.saved == []
        assert await runner.try_start_term()
        assert sink.calls == ["start", "handle", "end", "end", "start"]
        assert store.saved == [1]

    asyncio.run(scenario())


def test_a_failed_checkpoint_does_not_end_the_sink_twice(store: Any) -> None:
    async def scenario() -> None:
        sink = LeasedRecordingSink()
        runner, _ = runner_of(store, sink)
        await runner.try_start_term()
        await runner.step()
        store.save_failures = 1
        with pytest.raises(RuntimeError):
            await runner.end_term()
        await runner.end_term()
        assert sink.calls == ["start", "handle", "end"]
        assert store.saved == []

    asyncio.run(scenario())


def test_a_lost_term_ends_without_a_checkpoint(store: Any) -> None:
    async def scenario() -> None:
        sink = LeasedRecordingSink()
        runner, lease = runner_of(store, sink)
        await runner.try_start_term()
        await runner.step()
        lease.renew()
        await runner.end_term()
        assert (sink.calls, store.saved) == (["start", "handle", "end"], [])

    asyncio.run(scenario())


def test_the_dispatcher_retries_the_end_of_a_term_until_the_sink_has_ended(store: Any) -> None:
    async def scenario() -> None:
        sink, lease = LeasedRecordingSink(), FakeLease(store)
        sink.end_failures = 2
        dispatcher = Dispatcher(
            store,
            [sink],  # type: ignore[list-item]
            FakeClock(),
            lease=lambda _: lease,  # type: ignore[arg-type,return-value]
            poll_ms=1,
            retry_ms=1,
        )
        await dispatcher.start()
        lease.renew()
        await poll_until(lambda: sink.calls.count("start") == 2)
        await dispatcher.stop()
        assert sink.calls[: sink.calls.index("start", 1) + 1].count("end") == 3

    asyncio.run(scenario())


def test_an_error_at_the_last_end_of_a_term_is_logged(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        sink: Any = LeasedRecordingSink()
        sink.end_failures = 1
        dispatcher = Dispatcher(database.store, [sink], database.clock)
        with capture_logs() as logs:
            await dispatcher.start()
            await poll_until(lambda: bool(sink.calls))
            await dispatcher.stop()
        assert [(each["event"], each["sink"]) for each in logs] == [("sink_failed", "leased")]

    run_on_database(tmp_path, scenario)
