"""The dispatcher: in order, at least once, each sink independently, woken or not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from parlour.dispatch import dispatcher
from parlour.store import event_log
from parlour.vocabulary import limits
from tests.events.event_log_setup import (
    EventLogSetup,
    RecordingSink,
    ScenarioRunner,
    crash,
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


# --- Order


def test_events_come_in_the_order_of_their_commits(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        sink, expected = RecordingSink(), numbered(600)
        await log.write(*expected[:300])
        async with running(log.dispatcher(sink)):
            for name in expected[300:400]:
                await log.write(name)
            await log.write(*expected[400:])
            await poll_until(lambda: len(sink.names) >= len(expected))
        assert sink.names == expected
        assert max(sink.batches) == limits.EVENTS_PER_BATCH_MAX

    run_scenario(scenario)


def test_an_event_is_as_it_was_written(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        await log.write("onMessageAdded")
        (event,) = await log.store.read(lambda tx: event_log.read_after(tx, 0, 10))
        assert (event.sequence, event.name, event.subject_sid) == (1, *["onMessageAdded"] * 2)
        assert event.payload == '{"name":"onMessageAdded"}'
        assert (event.source, event.client_identity, event.fires) == ("API", None, False)
        assert event.date_ms == log.clock.now_ms()

    run_scenario(scenario)


def test_asking_for_the_end_of_the_log_holds_no_snapshot(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        await log.write("event")
        assert await log.store.read(event_log.visible_through) == 1
        await log.write("event")
        # During a commit a read has a snapshot: it must be a new one.
        log.store._committing = True
        seen = await log.sequences()
        log.store._committing = False
        assert seen == [1, 2]

    run_scenario(scenario)


# --- Positions


def test_a_new_sink_starts_at_the_end_unless_it_reads_all_events(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(log: EventLogSetup) -> None:
        await log.write("old")
        late, early = RecordingSink("late", reads_from_start=False), RecordingSink("early")
        async with running(log.dispatcher(late, early)):
            await log.write("new")
            await poll_until(lambda: late.names and len(early.names) == 2)
        assert (late.names, early.names) == (["new"], ["old", "new"])

    run_scenario(scenario)


def test_where_a_new_sink_began_outlives_a_crash(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        await log.write("old")
        first = log.dispatcher(RecordingSink("late", reads_from_start=False))
        await first.start()
        await crash(first)
        await log.write("while it was down")
        sink = RecordingSink("late", reads_from_start=False)
        async with running(log.dispatcher(sink)):
            await poll_until(lambda: sink.names)
        assert sink.names == ["while it was down"]

    run_scenario(scenario)


def test_a_sink_resumes_at_its_position(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        first, second = RecordingSink(), RecordingSink()
        async with running(log.dispatcher(first)):
            await log.write("one")
            await poll_until(lambda: first.names)
        await log.write("two")
        async with running(log.dispatcher(second)):
            await poll_until(lambda: second.names)
        assert (first.names, second.names) == (["one"], ["two"])

    run_scenario(scenario)


async def lost_by_a_crash(log: EventLogSetup) -> list[str]:
    """Return the events that no sink took, after a crash while a sink was processing them."""
    busy, sink = RecordingSink(), RecordingSink()
    first = log.dispatcher(busy)
    await first.start()
    await log.write("zero")
    await poll_until(lambda: busy.names and first._runners[0].is_checkpointed)
    busy.gate = asyncio.Event()
    await log.write("one", "two")
    await poll_until(lambda: busy.begun == 2)
    await crash(first)
    await log.write("three")
    async with running(log.dispatcher(sink)):
        await poll_until(lambda: "three" in sink.names)
    return [name for name in ("one", "two", "three") if name not in busy.names + sink.names]


def test_a_crash_while_a_sink_is_busy_loses_nothing(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        assert await lost_by_a_crash(log) == []

    run_scenario(scenario)


def test_a_position_saved_before_sending_is_detected(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep_first(self: dispatcher.SinkRunner) -> bool:
        batch = await self._store.read(lambda tx: event_log.read_after(tx, self.position, 10))
        if not batch:
            return False
        self.position = batch[-1].sequence
        await self.checkpoint()
        await self.sink.handle(batch)
        return True

    monkeypatch.setattr(dispatcher.SinkRunner, "step", keep_first)

    async def scenario(log: EventLogSetup) -> None:
        assert await lost_by_a_crash(log) == ["one", "two"]

    run_scenario(scenario)


def test_a_crash_before_the_position_is_saved_redelivers(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: dispatcher.SinkRunner) -> None:
        await asyncio.Event().wait()

    async def scenario(log: EventLogSetup) -> None:
        first, second = RecordingSink(), RecordingSink()
        made = log.dispatcher(first)
        await made.start()
        with monkeypatch.context() as patch:
            patch.setattr(dispatcher.SinkRunner, "checkpoint", never)
            await log.write("one")
            await poll_until(lambda: first.names)
            await crash(made)
        async with running(log.dispatcher(second)):
            await poll_until(lambda: second.names)
        assert (first.names, second.names) == (["one"], ["one"])

    run_scenario(scenario)


def test_the_position_past_skipped_events_is_saved_when_idle_and_at_shutdown(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(log: EventLogSetup) -> None:
        sink = RecordingSink()
        sink.ignores = {"noise"}
        made = log.dispatcher(sink, poll_ms=30)
        async with running(made):
            await log.write("noise")
            await poll_until(lambda: made._runners[0].position == 1)
            assert await log.position(sink.name) == 0
            await poll_until(lambda: made._runners[0].is_checkpointed)
            assert await log.position(sink.name) == 1
            await log.write("noise", "noise")
            await poll_until(lambda: made._runners[0].position == 3)
        assert await log.position(sink.name) == 3
        assert sink.batches == []

    run_scenario(scenario)


def test_a_deferred_position_is_saved_when_idle(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(log: EventLogSetup) -> None:
        sink = RecordingSink()
        sink.keeps_at_once = False
        made = log.dispatcher(sink, poll_ms=30)
        async with running(made):
            await log.write("one", "two")
            await poll_until(lambda: made._runners[0].position == 2)
            assert await log.position(sink.name) == 0
            await poll_until(lambda: made._runners[0].is_checkpointed)
            assert await log.position(sink.name) == 2
        assert sink.names == ["one", "two"]

    run_scenario(scenario)


def test_the_position_past_many_skipped_events_is_saved_under_load(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHECKPOINT_EVENTS_MAX", 512)

    async def scenario(log: EventLogSetup) -> None:
        sink = RecordingSink()
        sink.ignores = {"noise"}
        await log.write(*["noise"] * 1000)
        made = log.dispatcher(sink, poll_ms=10_000)
        async with running(made):
            await poll_until(lambda: made._runners[0].position == 1000)
            assert await log.position(sink.name) == 512

    run_scenario(scenario)


# --- One sink and the others


def test_a_failing_sink_is_retried_without_blocking_other_sinks(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(log: EventLogSetup) -> None:
        bad, good = RecordingSink("bad"), RecordingSink("good")
        bad.failures = 3
        async with running(log.dispatcher(bad, good, retry_ms=50)):
            await log.write("one")
            await poll_until(lambda: good.names)
            assert bad.names == []
            await log.write("two")
            await poll_until(lambda: len(good.names) == 2)
            assert bad.names == []
            await poll_until(lambda: len(bad.names) == 2)
        assert bad.names == good.names == ["one", "two"]

    run_scenario(scenario)


def test_a_hanging_sink_does_not_delay_other_sinks(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        slow, good = RecordingSink("slow"), RecordingSink("good")
        slow.gate = asyncio.Event()
        async with running(log.dispatcher(slow, good)):
            for name in ("one", "two"):
                await log.write(name)
                await poll_until(lambda seen=name: seen in good.names)  # type: ignore[misc]
            assert slow.names == []
            slow.gate.set()
            await poll_until(lambda: len(slow.names) == 2)

    run_scenario(scenario)


def test_a_sink_that_always_fails_keeps_its_position(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        bad = RecordingSink()
        bad.failures = 1_000_000
        async with running(log.dispatcher(bad)):
            await log.write("one")
            await poll_until(lambda: bad.failures < 1_000_000 - 2)
        assert await log.position(bad.name) == 0

    run_scenario(scenario)


# --- Waking and stopping


def test_without_a_wake_up_an_event_comes_with_the_next_poll(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        sink = RecordingSink()
        async with running(log.dispatcher(sink, wakes=False, poll_ms=20)):
            await asyncio.sleep(0.05)
            await log.write("one")
            await poll_until(lambda: sink.names)

    run_scenario(scenario)


def test_a_shared_batch_is_reused_until_the_next_wake_up(
    run_scenario: ScenarioRunner,
) -> None:
    async def scenario(log: EventLogSetup) -> None:
        early, late = RecordingSink("early"), RecordingSink("late")
        made = log.dispatcher(early, late)
        for lane in made._runners:
            await lane.try_start_term()
        await log.write("one")
        await made._runners[0].step()
        await log.write("two")
        # Its loop would sleep until the next poll: it has been notified of both already.
        made._runners[1].wake_event.clear()
        await made._runners[1].step()
        assert (early.names, late.names) == (["one"], ["one", "two"])

    run_scenario(scenario)


def test_a_wake_up_makes_the_poll_unnecessary(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        sink = RecordingSink()
        async with running(log.dispatcher(sink, poll_ms=60_000)):
            for name in numbered(50):
                await log.write(name)
                await poll_until(lambda seen=name: sink.names[-1:] == [seen])  # type: ignore[misc]

    run_scenario(scenario)


def test_a_stop_waits_for_work_in_progress(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        sink = RecordingSink()
        sink.gate = asyncio.Event()
        made = log.dispatcher(sink)
        await made.start()
        await log.write("one")
        await poll_until(lambda: sink.begun)
        stop = asyncio.create_task(made.stop())
        await asyncio.sleep(0.02)
        assert not stop.done()
        sink.gate.set()
        await stop
        assert sink.names == ["one"]
        assert await log.position(sink.name) == 1

    run_scenario(scenario)


def test_a_stop_has_a_timeout(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DRAIN_SECONDS_MAX", 0.05)

    async def scenario(log: EventLogSetup) -> None:
        sink = RecordingSink()
        sink.gate = asyncio.Event()
        made = log.dispatcher(sink)
        await made.start()
        await log.write("one")
        await poll_until(lambda: sink.begun)
        await asyncio.wait_for(made.stop(), 2)
        assert await log.position(sink.name) == 0

    run_scenario(scenario)
