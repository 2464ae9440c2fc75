"""A day of retries and longer, in virtual time: real sink, real store, no real delays."""

from __future__ import annotations

import asyncio
import os
import random
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.delivery import result_writer
from parlour.delivery.intake_transaction import IntakeTransaction
from parlour.delivery.webhook_request import TOKEN_HEADER
from parlour.egress.client import EgressFailed
from parlour.protocol import retries
from parlour.resources.webhook_attempts.store import LoggedOutcome
from parlour.resources.webhook_retries.actions import save_webhook_retries
from parlour.resources.webhook_retries.store import HOSTED, WebhookRetries
from parlour.store import event_log
from parlour.store.transaction import Unavailable
from parlour.store.webhook_queue import DeliveryState
from parlour.vocabulary import limits
from parlour.vocabulary.event_names import ON_USER_ADDED
from parlour.vocabulary.origin import Origin
from parlour.vocabulary.scope import Scope
from tests.virtual_time.virtual_loop import (
    ACCOUNT,
    SERVICE,
    WebhookWorld,
    event_label,
    run_scenario,
)

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.egress.client import OutboundRequest
    from parlour.store.webhook_queue import WebhookDelivery
    from tests.virtual_time.virtual_loop import Answer

HOUR_MS = 3_600_000
REFUSED = EgressFailed("connect", 11205)


def down_until(world: WebhookWorld, hours: float) -> None:
    """A receiver that refuses connections for this long."""
    up_ms = world.clock.now_ms() + int(hours * HOUR_MS)

    async def answer(_request: OutboundRequest) -> Answer:
        return 200 if world.clock.now_ms() >= up_ms else REFUSED

    world.answer = answer


def test_a_day_of_being_down_loses_nothing(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        down_until(world, 24)
        for number in range(20):
            await world.emit_events(5, subject=f"US{number:032x}")
        await world.settle(28)
        assert await world.states() == {DeliveryState.DELIVERED: 100}
        delivered = [each for each in await world.log() if each.outcome == LoggedOutcome.DELIVERED]
        up_ms = delivered[0].date_created
        assert all(each.date_created - up_ms < 3.4 * HOUR_MS for each in delivered)

    assert run_scenario(tmp_path / "day.sqlite3", scenario) >= 28


def test_one_delivery_follows_the_whole_schedule_and_is_then_given_up(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        down_until(world, 1000)
        await world.emit_events(1)
        await world.settle(30)
        log = await world.log()
        assert [each.retry_count for each in log] == list(range(18))
        assert [each.outcome for each in log] == [LoggedOutcome.RETRYING] * 17 + [
            LoggedOutcome.FAILED
        ]
        assert {each.error_code for each in log} == {11205}
        waits = [b.date_created - a.date_created for a, b in pairwise(log)]
        for wait, planned in zip(waits, retries.DURABLE.delays_ms, strict=True):
            assert planned <= wait <= planned * 1.1 + 50
        for earlier, later in pairwise(log):
            assert earlier.next_attempt_ms is not None
            assert 0 <= later.date_created - earlier.next_attempt_ms <= 50
        assert log[-1].next_attempt_ms is None
        assert await world.states() == {DeliveryState.FAILED: 1}
        tokens = {request.headers[TOKEN_HEADER] for _, request in world.sent}
        assert len(tokens) == 1
        counts = [event_label(request)["RetryCount"] for _, request in world.sent]
        assert counts == [str(number) for number in range(18)]

    start = time.process_time()
    assert run_scenario(tmp_path / "whole.sqlite3", scenario) >= 24
    assert time.process_time() - start < 1


def test_a_lane_keeps_its_order_behind_a_retry_and_others_go_on(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        async def answer(request: OutboundRequest) -> Answer:
            label = event_label(request)
            is_first = label["UserSid"].endswith("a") and label["Identity"] == "user 0"
            return 503 if is_first and int(label["RetryCount"]) < 3 else 200

        world.answer = answer
        slow, quick = "US" + "0" * 31 + "a", "US" + "0" * 31 + "b"
        await world.emit_events(30, subject=slow)
        await world.emit_events(30, subject=quick)
        await world.settle(0.0001)
        label = [event_label(request)["UserSid"] for _, request in world.sent]
        assert (label.count(slow), label.count(quick)) == (1, 30)
        await world.settle(0.01)
        names = [
            event_label(r)["Identity"] for _, r in world.sent if event_label(r)["UserSid"] == slow
        ]
        assert names == ["user 0"] * 4 + [f"user {number}" for number in range(1, 30)]

    run_scenario(tmp_path / "order.sqlite3", scenario)


def test_retry_after_is_waited_for_and_410_stops(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        async def answer(request: OutboundRequest) -> Answer:
            if event_label(request)["RetryCount"] == "0":
                return 503, {"retry-after": "120"}
            return 410

        world.answer = answer
        await world.emit_events(1)
        await world.settle(1)
        first, second = world.sent
        assert 120_000 <= second[0] - first[0] <= 133_000
        log = await world.log()
        assert [each.outcome for each in log] == [
            LoggedOutcome.RETRYING,
            LoggedOutcome.STOPPED,
        ]
        assert [each.error_code for each in log] == [50057, 50057]

    run_scenario(tmp_path / "stop.sqlite3", scenario)


@pytest.mark.parametrize(("status", "expected"), [(500, 1), (503, 3), (429, 3), (404, 1)], ids=str)
def test_the_hosted_schedule_retries_like_the_hosted_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, expected: int
) -> None:
    async def scenario(world: WebhookWorld) -> None:
        chosen = WebhookRetries(ACCOUNT, HOSTED)
        await world.store.write(lambda tx: save_webhook_retries(tx, Scope(ACCOUNT), chosen))

        async def answer(_request: OutboundRequest) -> Answer:
            return status

        world.answer = answer
        delivery = IntakeTransaction._delivery

        def with_retries(*given: Any) -> WebhookDelivery:
            return msgspec.structs.replace(delivery(*given), retry_limit=2)

        monkeypatch.setattr(IntakeTransaction, "_delivery", with_retries)
        await world.emit_events(1)
        await world.settle(1)
        counts = [event_label(request)["RetryCount"] for _, request in world.sent]
        assert counts == [str(number) for number in range(expected)]

    run_scenario(tmp_path / "hosted.sqlite3", scenario)


def test_a_delivery_queued_for_a_day_still_gets_some_attempts(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        down_until(world, 1000)
        await world.emit_events(3)
        await world.settle(200)
        log = await world.log()
        attempts = {each.event_sequence: 0 for each in log}
        for each in log:
            attempts[each.event_sequence] += 1
        first, *later = attempts.values()
        assert first == 18
        # The later ones were a day old at their first attempt: they are not retried for another
        # day.
        assert all(limits.LATE_ATTEMPTS_MIN <= number < 18 for number in later)
        assert await world.states() == {DeliveryState.FAILED: 3}
        assert log[-1].date_created - log[0].date_created < 60 * HOUR_MS

    run_scenario(tmp_path / "late.sqlite3", scenario)


def test_a_crash_at_any_step_of_a_retry_resumes_it(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        down_until(world, 5)
        for number in range(10):
            await world.emit_events(3, subject=f"US{number:032x}")
        for hours in (0.0001, 0.001, 0.01, 0.1, 1, 2, 5):
            await world.crash()
            await world.settle(hours)
        assert await world.states() == {DeliveryState.DELIVERED: 30}

    run_scenario(tmp_path / "crash.sqlite3", scenario)


def test_an_account_that_piles_up_too_much_loses_the_oldest_and_it_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DELIVERIES_PENDING_PER_ACCOUNT_MAX", 50)
    monkeypatch.setattr(limits, "DELIVERIES_DROPPED_PER_STEP_MAX", 20)

    async def scenario(world: WebhookWorld) -> None:
        down_until(world, 1)
        for number in range(12):
            await world.emit_events(10, subject=f"US{number % 3:032x}")
        await world.settle(5)
        states = await world.states()
        assert states[DeliveryState.DROPPED] + states[DeliveryState.DELIVERED] == 120
        assert 30 <= states[DeliveryState.DELIVERED] <= 60
        log = await world.log()
        dropped = {each.event_sequence for each in log if each.outcome == LoggedOutcome.DROPPED}
        assert len(dropped) == states[DeliveryState.DROPPED]
        delivered = {each.event_sequence for each in log if each.outcome == LoggedOutcome.DELIVERED}
        assert max(dropped) < max(delivered)
        assert sum(world.term.pending.values()) == 0

    run_scenario(tmp_path / "pile.sqlite3", scenario)


def test_the_queue_in_memory_is_bounded_for_any_burst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DELIVERIES_PENDING_PER_ACCOUNT_MAX", 50)
    monkeypatch.setattr(limits, "DELIVERIES_DROPPED_PER_STEP_MAX", 1)

    async def scenario(world: WebhookWorld) -> None:
        down_until(world, 1)
        for number in range(12):
            await world.emit_events(10, subject=f"US{number % 3:032x}")
            states = await world.states()
            assert states[DeliveryState.PENDING] <= 50
        await world.settle(5)
        states = await world.states()
        assert (states[DeliveryState.DROPPED], states[DeliveryState.DELIVERED]) == (
            70,
            50,
        )

    run_scenario(tmp_path / "bounded.sqlite3", scenario)


def test_many_lanes_of_a_hanging_endpoint_leave_room_for_others(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        async def answer(request: OutboundRequest) -> Answer:
            if request.url.port == 9:
                await asyncio.sleep(5)
                return EgressFailed("timeout", 50076)
            return 200

        world.answer = answer
        for number in range(500):
            await world.emit_events(1, subject=f"US{number:032x}")
        await world.listen("http://127.0.0.1:10/other")
        start = world.clock.now_ms()
        await world.emit_events(200, subject="US" + "f" * 32)
        await world.settle(0.0001)
        others = [at for at, request in world.sent if request.url.port == 10]
        assert len(others) == 200
        assert max(others) - start < 1000
        await world.settle(0.05)
        hanging = [at for at, request in world.sent if request.url.port == 9]
        # One at a time, once a hang was detected.
        assert len(hanging) < 16 + 60

    run_scenario(tmp_path / "hang.sqlite3", scenario)


def test_endpoints_beyond_the_cap_wait_on_disk_and_are_retried_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ENDPOINTS_KNOWN_MAX", 8)
    monkeypatch.setattr(limits, "ENDPOINTS_DROPPED_PER_STEP_MAX", 2)

    async def scenario(world: WebhookWorld) -> None:
        down_until(world, 0.5)
        for number in range(60):
            await world.listen(f"http://127.0.0.1:9/{number}")
            await world.emit_events(1)
            assert len(world.term.lanes.endpoints) <= 8 + 1
        known = []
        for _ in range(100):
            await world.settle(0.01)
            known.append(len(world.term.lanes.endpoints))
        # More than the cap only while they are in use.
        assert sorted(known)[90] <= 8
        for before, after in pairwise(await world.log()):
            if before.next_attempt_ms is not None and before.target_key == after.target_key:
                assert after.date_created - before.next_attempt_ms < 10_000
        await world.settle(2)
        assert await world.states() == {DeliveryState.DELIVERED: 60}
        assert not list(world.term.lanes.endpoints)

    run_scenario(tmp_path / "cap.sqlite3", scenario)


SEEDS = int(os.environ.get("PARLOUR_SEEDS", "25"))
TIMED_OUT = EgressFailed("timeout", 50076)
# Lower than in production, so that the limits are reached in every run.
NARROW = {
    "LANE_DELIVERIES_MAX": [1, 2, 8],
    "LANES_MAX": [2, 5, 4096],
    "LANES_PER_REQUEST_MAX": [1, 4],
    "WEBHOOKS_AT_ONCE_MAX": [1, 3, 256],
    "WEBHOOKS_AT_ONCE_FIRST": [1, 4],
    "ATTEMPTS_UNRECORDED_MAX": [1, 64],
    "EVENTS_PER_ENQUEUING_MAX": [1, 32],
    "ENDPOINTS_KNOWN_MAX": [1, 2, 10_000],
    "ENDPOINTS_DROPPED_PER_STEP_MAX": [1, 1000],
}


async def disorder(world: WebhookWorld) -> list[tuple[int, int]]:
    """Return neighbours in a lane whose first requests were out of order."""
    text = "SELECT token, lane, event_sequence FROM webhook_delivery"
    known = {row[0]: (row[1], row[2]) for row in await world.store.read(lambda tx: tx.all(text))}
    first: dict[int, list[int]] = {}
    for token in dict.fromkeys(request.headers[TOKEN_HEADER] for _, request in world.sent):
        lane, sequence = known[token]
        first.setdefault(lane, []).append(sequence)
    return [(one, two) for each in first.values() for one, two in pairwise(each) if one > two]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_event_is_delivered_despite_random_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Random events, crashes, replays and failing receivers, within low limits."""
    dice = random.Random(seed)
    for name, values in NARROW.items():
        monkeypatch.setattr(limits, name, dice.choice(values))

    async def scenario(world: WebhookWorld) -> None:
        failing = 0.0

        async def answer(_request: OutboundRequest) -> Answer:
            await asyncio.sleep(dice.choice([0, 0, 0.002, 0.01]))
            return dice.choice([REFUSED, TIMED_OUT, 503]) if dice.random() < failing else 200

        world.answer = answer
        count = 0
        for _ in range(dice.randrange(10, 40)):
            what = dice.random()
            if what < 0.5:
                label = dice.randrange(1, 15)
                count += label
                await world.emit_events(label, subject=f"US{dice.randrange(6):032x}")
            elif what < 0.6:
                await world.listen(f"http://127.0.0.1:{dice.choice([9, 10, 11, 12])}/hook")
            elif what < 0.7:
                await world.replay()
            elif what < 0.8:
                await world.crash()
            else:
                failing = dice.choice([0.0, 0.0, 0.3, 1.0])
            await asyncio.sleep(dice.choice([0, 0, 0.001, 0.02, 0.5]))
        failing = 0.0
        await world.settle(0.5)
        assert await world.states() == {DeliveryState.DELIVERED: count}
        assert await disorder(world) == []
        assert not list(world.term.lanes.endpoints)
        assert sum(world.term.pending.values()) == 0

    run_scenario(tmp_path / "any.sqlite3", scenario)


def test_an_unreadable_event_does_not_block_later_ones(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        before = await world.store.read(event_log.visible_through)
        scope, origin = Scope(ACCOUNT, SERVICE), Origin(fires=True)
        await world.store.write(
            lambda tx: tx.emit(scope, ON_USER_ADDED, subject_sid="x", payload={}, origin=origin)
        )
        await world.take_after(before)
        await world.emit_events(3)
        await world.settle(0.01)
        assert await world.states() == {DeliveryState.DELIVERED: 3}

    run_scenario(tmp_path / "poison.sqlite3", scenario)


def test_results_that_cannot_be_written_are_written_later_and_nothing_is_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: WebhookWorld) -> None:
        write, refused = result_writer._write, []

        async def fails_twice(*given: Any) -> Any:
            if len(refused) < 2:
                refused.append(given)
                raise Unavailable("the disk is full")
            return await write(*given)

        monkeypatch.setattr(result_writer, "_write", fails_twice)
        await world.emit_events(5)
        await world.settle(0.01)
        assert len(refused) == 2
        assert await world.states() == {DeliveryState.DELIVERED: 5}
        assert len(world.sent) == 5

    run_scenario(tmp_path / "full.sqlite3", scenario)
