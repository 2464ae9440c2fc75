"""Old events: deleted once every sink is past them, without gaps in the log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.store import event_log
from parlour.vocabulary import limits
from tests.events.event_log_setup import (
    EventLogSetup,
    RecordingSink,
    ScenarioRunner,
    numbered,
    poll_until,
    running,
    scenario_runner,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate log."""
    return scenario_runner(tmp_path)


def test_events_go_once_every_sink_is_past_them_and_they_are_old(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(log: EventLogSetup) -> None:
        sink, slow = RecordingSink(), RecordingSink("slow")
        slow.gate = asyncio.Event()
        await log.write(*numbered(6))
        made = log.dispatcher(sink, slow)
        async with running(made):
            await poll_until(lambda: made._runners[0].is_checkpointed and sink.names)
            log.clock.advance(limits.EVENT_RETENTION_MS + 1)
            assert await made.retire() == 0
            slow.gate.set()
            await poll_until(lambda: made._runners[1].is_checkpointed and slow.names)
            await log.write("young")
            await poll_until(lambda: len(slow.names) == len(sink.names) == 7)
            await poll_until(lambda: all(lane.is_checkpointed for lane in made._runners))
            assert await made.retire() == 6
        assert await log.sequences() == [7]
        await log.write("next")
        assert await log.sequences() == [7, 8]

    run_scenario(scenario)


def test_events_of_the_retention_time_stay(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        sink = RecordingSink()
        made = log.dispatcher(sink)
        await log.write("one", "two")
        log.clock.advance(limits.EVENT_RETENTION_MS)
        await log.write("three")
        async with running(made):
            await poll_until(lambda: made._runners[0].is_checkpointed and len(sink.names) == 3)
            assert await made.retire() == 0
            log.clock.advance(1)
            assert await made.retire() == 2

    run_scenario(scenario)


def test_the_newest_event_stays_and_a_step_is_bounded(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        await log.write(*numbered(10))
        later_ms = log.clock.now_ms() + 1

        async def step(count: int) -> int:
            return await log.store.write(
                lambda tx: event_log.delete_old_events(tx, [], later_ms, count)
            )

        assert [await step(4), await step(4), await step(4), await step(4)] == [4, 4, 1, 0]
        assert await log.sequences() == [10]

    run_scenario(scenario)


def test_an_old_event_behind_a_young_one_waits_so_that_there_are_no_gaps(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(log: EventLogSetup) -> None:
        start_ms = log.clock.now_ms()
        await log.write("old")
        log.clock.advance(1000)
        await log.write("young")
        log.clock._now_ms = start_ms  # The machine's clock was set back.
        await log.write("old again", "newest")
        removed = await log.store.write(
            lambda tx: event_log.delete_old_events(tx, [], start_ms + 1, 100)
        )
        assert removed == 1
        assert await log.sequences() == [2, 3, 4]

    run_scenario(scenario)


def test_the_server_removes_old_events(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETIRED_EVENTS_MAX", 2)

    async def scenario(log: EventLogSetup) -> None:
        sink = RecordingSink()
        async with running(log.dispatcher(sink)):
            await log.write(*numbered(7))
            await poll_until(lambda: len(sink.names) == 7)
        log.clock.advance(limits.EVENT_RETENTION_MS + 1)
        async with running(log.dispatcher(RecordingSink())):
            for _ in range(100):
                await asyncio.sleep(0.02)
                if await log.sequences() == [7]:
                    break
            assert await log.sequences() == [7]

    run_scenario(scenario)
