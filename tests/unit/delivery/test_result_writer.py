"""The result writer: batches, lanes that continue, resync, failures, and the end of a term."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from structlog.testing import capture_logs

from parlour.delivery.result_writer import ResultWriter
from parlour.delivery.states import LaneState, SyncState
from parlour.delivery.term import PendingCounts
from parlour.store import event_log, webhook_queue
from parlour.store.leases import LeaseLost
from parlour.store.transaction import Unavailable
from parlour.vocabulary import limits
from tests.unit.delivery.lane_setup import URL, delivery
from tests.unit.delivery.result_rows import ResultRows
from tests.unit.delivery.term_setup import (
    Setup,
    failed,
    pre_action_of,
    result_of,
    retry_soon,
    run,
    until,
)

if TYPE_CHECKING:
    from parlour.delivery.attempts import AttemptResult
    from parlour.delivery.lanes import Lane


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> ResultRows:
    retry_soon(monkeypatch)
    rows = ResultRows()
    rows.patch(monkeypatch)
    return rows


class Writing:
    """A writer on a term."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.term = setup, setup.term
        self.searched: list[list[str]] = []
        self.writer = ResultWriter(setup.store, setup.throttle, setup.metrics)

    def start(self) -> None:
        poller: Any = SimpleNamespace(search=lambda accounts: self.searched.append(list(accounts)))
        self.writer.start_term(self.term, poller)

    def send(self) -> Lane:
        lane = self.term.lanes.next_lane()
        assert lane is not None
        return lane

    def finish(self, lane: Lane, result: AttemptResult) -> None:
        self.term.results.add(lane.endpoint.key[0], (lane, result))
        self.term.lanes.finish_attempt(lane, is_done=result.is_done, timed_out=result.timed_out)
        self.writer.wake()

    async def written(self) -> None:
        await until(lambda: not self.writer.has_work)


def test_a_result_is_recorded_and_its_lane_removed(rows: ResultRows) -> None:
    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        writing.start()
        setup.offer(1)
        setup.term.pending["AC1"] = 1
        lane = writing.send()
        writing.finish(lane, result_of(lane.waiting[0]))
        await writing.written()
        assert rows.recorded == [(1, "delivered")]
        assert rows.logged == ["delivered"]
        assert [each.url for each in rows.endpoints] == [URL]
        assert setup.term.pending["AC1"] == 0
        assert setup.metrics.outcomes == {"delivered": 1}
        await until(lambda: lane.state is LaneState.ABSENT)
        await writing.writer.stop()

    run(scenario)


def test_a_failed_delivery_is_due_again_and_one_that_was_not_sent_is_not_logged(
    rows: ResultRows,
) -> None:
    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        writing.start()
        setup.offer(1)
        setup.offer(2, lane=2)
        one, two = writing.send(), writing.send()
        writing.finish(one, failed(one.waiting[0]))
        writing.finish(two, failed(two.waiting[0], was_sent=False))
        await writing.written()
        await writing.writer.stop()
        assert rows.recorded == [(1, "pending"), (2, "pending")]
        assert rows.logged == ["retrying"]
        assert setup.term.lanes.next_poll_ms() == 5000

    run(scenario)


@pytest.mark.parametrize(
    ("webhook_sid", "state", "outcome"),
    [
        ("WH2", "stopped", "stopped"),
        ("WH1", "pending", "retrying"),
        (None, "pending", "retrying"),
    ],
)
def test_a_retry_is_stopped_if_its_webhook_was_detached(
    rows: ResultRows, webhook_sid: str | None, state: str, outcome: str
) -> None:
    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        writing.start()
        setup.term.lanes.offer(msgspec.structs.replace(delivery(1, 1), webhook_sid=webhook_sid))
        lane = writing.send()
        writing.finish(lane, failed(lane.waiting[0]))
        await writing.written()
        await writing.writer.stop()
        assert rows.recorded == [(1, state)]
        assert setup.metrics.outcomes == {outcome: 1}

    run(scenario)


def test_after_an_unknown_commit_an_attempt_is_logged_under_the_same_sid(rows: ResultRows) -> None:
    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        setup.store.commit_failures.append(Unavailable("no answer"))
        setup.offer(1)
        setup.offer(2, lane=2)
        for lane in (writing.send(), writing.send()):
            writing.finish(lane, result_of(lane.waiting[0]))
        writing.start()
        await writing.written()
        await writing.writer.stop()
        assert rows.sids == ["WA1", "WA2"] * 2

    run(scenario)


def test_a_delivery_that_has_already_ended_is_not_counted_and_not_due(rows: ResultRows) -> None:
    rows.is_pending = False

    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        writing.start()
        setup.offer(1)
        setup.offer(2, lane=2)
        one, two = writing.send(), writing.send()
        writing.finish(one, result_of(one.waiting[0]))
        writing.finish(two, failed(two.waiting[0]))
        await writing.written()
        await writing.writer.stop()
        assert setup.term.pending["AC1"] == 0
        assert setup.term.lanes.next_poll_ms() == 0

    run(scenario)


def test_the_rest_of_a_lane_is_read_once_its_head_is_done(rows: ResultRows) -> None:
    rows.promotes, rows.rest = True, [delivery(1, 2)]

    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        writing.start()
        setup.offer(1)
        lane = writing.send()
        writing.finish(lane, result_of(lane.waiting[0]))
        await until(lambda: lane.state is LaneState.READY)
        assert [each.lane_order for each in lane.waiting] == [2]
        await writing.writer.stop()

    run(scenario)


def test_after_a_failed_write_the_batch_is_repeated_and_the_memory_is_rebuilt(
    rows: ResultRows,
) -> None:
    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        setup.store.write_failures.append(Unavailable("no answer"))
        writing.start()
        setup.offer(1)
        setup.offer(2, lane=2)
        lane = writing.send()
        writing.finish(lane, result_of(lane.waiting[0]))
        await until(lambda: writing.searched)
        assert rows.recorded == [(1, "delivered")]
        assert setup.term.pending == {"AC1": 5}
        assert setup.term.sync is SyncState.SYNCED
        assert not setup.term.lanes.has_ready_lane
        await writing.writer.stop()

    run(scenario)


def test_a_lane_whose_rest_could_not_be_read_is_polled_after_the_resync(rows: ResultRows) -> None:
    rows.promotes = True
    rows.read_failures.append(Unavailable("gone"))

    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        writing.start()
        setup.offer(1)
        lane = writing.send()
        writing.finish(lane, result_of(lane.waiting[0]))
        await until(lambda: writing.searched)
        assert lane.state is LaneState.ABSENT
        assert setup.term.lanes.next_poll_ms() == 0
        await writing.writer.stop()

    run(scenario)


def test_after_a_failed_refill_the_other_results_of_the_batch_are_not_written_again(
    rows: ResultRows,
) -> None:
    rows.promotes = True
    rows.read_failures.append(Unavailable("gone"))

    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        setup.offer(1)
        setup.offer(2, lane=2)
        for lane in (writing.send(), writing.send()):
            writing.finish(lane, result_of(lane.waiting[0]))
        with capture_logs() as logged:
            writing.start()
            await until(lambda: writing.searched)
        assert rows.recorded == [(1, "delivered"), (2, "delivered")]
        assert [each["event"] for each in logged] == ["webhook_lane_refill_failed"]
        await writing.writer.stop()

    run(scenario)


def test_a_failed_write_and_a_failed_resync_have_separate_log_events(rows: ResultRows) -> None:
    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        setup.store.write_failures.append(Unavailable("no answer"))
        setup.offer(1)
        lane = writing.send()
        writing.finish(lane, result_of(lane.waiting[0]))
        with capture_logs() as logged:
            writing.start()
            await until(lambda: not setup.store.write_failures)
            setup.store.read_failures.append(Unavailable("gone"))
            await until(lambda: writing.searched)
        events = [each["event"] for each in logged]
        assert events == ["webhook_result_write_failed", "webhook_resync_failed"]
        await writing.writer.stop()

    run(scenario)


def test_a_replay_that_may_be_counted_already_is_counted_on_disk(
    rows: ResultRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def count(_tx: object, account_sid: str) -> int:
        return {"AC1": 7}[account_sid]

    async def newest(_tx: object) -> int:
        return 12

    monkeypatch.setattr(webhook_queue, "count_of", count)
    monkeypatch.setattr(event_log, "newest_sequence", newest)

    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        setup.term.set_counts(PendingCounts({"AC1": 5}, 10))
        writing.start()
        setup.term.count_replay("AC1", 11, 2)
        assert (setup.term.pending, setup.term.recounts) == ({"AC1": 7}, set())
        setup.term.count_replay("AC1", 10, 2)
        setup.store.read_failures.append(Unavailable("gone"))
        writing.writer.wake()
        await until(lambda: not setup.term.recounts)
        assert setup.term.pending == {"AC1": 7}
        # The count on disk contains the replays through event 12.
        setup.term.count_replay("AC1", 12, 1)
        writing.writer.wake()
        await until(lambda: not setup.term.recounts)
        assert setup.term.pending == {"AC1": 7}
        setup.term.count_replay("AC1", 13, 1)
        assert (setup.term.pending, setup.term.recounts) == ({"AC1": 8}, set())
        await writing.writer.stop()

    run(scenario)


def test_a_resync_that_fails_is_repeated(rows: ResultRows) -> None:
    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        setup.term.enter(SyncState.RESYNC)
        setup.store.read_failures.append(Unavailable("gone"))
        writing.start()
        await until(lambda: writing.searched)
        assert setup.store.read_failures == []
        await writing.writer.stop()

    run(scenario)


def test_while_the_intakes_commit_is_unknown_the_memory_is_not_rebuilt(rows: ResultRows) -> None:
    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        setup.term.enter(SyncState.RESYNC)
        async with setup.term.enqueuing:
            writing.start()
            await asyncio.sleep(0.01)
            setup.term.enter(SyncState.INTAKE_UNKNOWN)
        setup.store.write_failures.append(Unavailable("no answer"))
        setup.offer(1)
        lane = writing.send()
        writing.finish(lane, result_of(lane.waiting[0]))
        await writing.written()
        assert rows.recorded == [(1, "delivered")]
        assert writing.searched == []
        assert setup.term.sync is SyncState.INTAKE_UNKNOWN
        setup.term.enter(SyncState.RESYNC)
        writing.writer.wake()
        await until(lambda: writing.searched)
        await writing.writer.stop()

    run(scenario)


def test_without_the_lease_the_results_are_left_to_the_next_owner(rows: ResultRows) -> None:
    async def scenario(setup: Setup) -> None:
        writing = Writing(setup)
        setup.store.write_failures.append(LeaseLost("sink webhooks"))
        writing.start()
        setup.offer(1)
        lane = writing.send()
        writing.finish(lane, result_of(lane.waiting[0]))
        await writing.written()
        assert rows.recorded == []
        await writing.writer.stop()

    run(scenario)


def test_pre_action_requests_are_written_without_a_term(rows: ResultRows) -> None:
    async def scenario(setup: Setup) -> None:
        writer = ResultWriter(setup.store, setup.throttle, setup.metrics)
        setup.store.write_failures += [LeaseLost("x"), Unavailable("gone")]
        writer.record_pre_action(pre_action_of())
        await until(lambda: not writer.has_work)
        assert len(rows.pre_actions) == 1
        assert setup.metrics.outcomes == {"delivered": 1}
        await writer.stop()
        writer.record_pre_action(pre_action_of(outcome="rejected"))
        await until(lambda: len(rows.pre_actions) == 2)
        await writer.stop()

    run(scenario)


def test_an_account_without_room_in_the_queue_is_counted_and_not_logged(
    rows: ResultRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PRE_ACTIONS_UNRECORDED_MAX", 2)

    async def scenario(setup: Setup) -> None:
        writer = ResultWriter(setup.store, setup.throttle, setup.metrics)
        for _ in range(3):
            writer.record_pre_action(pre_action_of())
        await until(lambda: not writer.has_work)
        assert len(rows.pre_actions) == 1
        assert setup.metrics.outcomes == {"delivered": 3}
        await writer.cancel()

    run(scenario)


def test_a_writer_that_never_ran_stops_at_once() -> None:
    async def scenario(setup: Setup) -> None:
        await ResultWriter(setup.store, setup.throttle, setup.metrics).stop()

    run(scenario)
