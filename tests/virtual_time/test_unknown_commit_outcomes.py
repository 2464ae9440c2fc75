"""Commits with an unknown outcome, in virtual time: each is retried, and no event is orphaned."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from parlour.delivery.attempts import SigningCache
from parlour.delivery.pre_action import PreActionAttempt
from parlour.delivery.states import SyncState
from parlour.delivery.targets import WebhookTarget
from parlour.resources.webhook_attempts.store import LoggedOutcome
from parlour.store import event_log, webhook_queue
from parlour.store.leases import LocalLeaseTerm
from parlour.store.transaction import Unavailable
from parlour.store.webhook_queue import DeliveryState
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope
from tests.support.unknown_outcomes import UnknownOutcomes
from tests.virtual_time.test_retries import disorder
from tests.virtual_time.virtual_loop import ACCOUNT, URL, WebhookWorld, run_scenario

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.delivery.attempts import SigningSettings
    from parlour.egress.client import OutboundRequest
    from parlour.vocabulary.event import Event
    from tests.virtual_time.virtual_loop import Answer

MINUTES = 1 / 60


def with_unknown_outcomes(world: WebhookWorld) -> UnknownOutcomes:
    """Make the sink write through such a store."""
    store = UnknownOutcomes(world.store)
    world.term.lease_term = LocalLeaseTerm(store)  # type: ignore[arg-type]
    return store


def fail_once(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    """Make the next call of a queue function fail; return the arguments of its calls."""
    look, calls = getattr(webhook_queue, name), []

    async def looks(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            raise Unavailable("gone")
        return await look(*given)

    monkeypatch.setattr(webhook_queue, name, looks)
    return calls


async def take_with_unknown_outcome(
    world: WebhookWorld, store: UnknownOutcomes, count: int
) -> None:
    """Commit new deliveries with an unknown outcome, and retry their batch."""
    before = await world.store.read(event_log.visible_through)
    store.unknown_left = 1
    with pytest.raises(Unavailable):
        await world.emit_events(count)
    await world.take_after(before)  # As the dispatcher does after a backoff.


def test_deliveries_of_an_unknown_commit_are_sent(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        await take_with_unknown_outcome(world, with_unknown_outcomes(world), 3)
        await world.emit_events(2)
        await world.settle(2 * MINUTES)
        assert await world.states() == {DeliveryState.DELIVERED: 5}
        assert len(world.sent) == 5
        assert sum(world.term.pending.values()) == 0

    run_scenario(tmp_path / "store", scenario)


def test_events_after_an_unknown_commit_are_sent_after_its_events(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        async def slow(_request: OutboundRequest) -> Answer:
            await asyncio.sleep(1)
            return 200

        world.answer = slow
        store = with_unknown_outcomes(world)
        await world.emit_events(2)  # Their lane is in memory.
        before = await world.store.read(event_log.visible_through)
        store.unknown_left = 1
        with pytest.raises(Unavailable):
            await world.emit_events(2)
        take, world.sink.handle = world.sink.handle, nothing  # type: ignore[method-assign]
        await world.emit_events(2)
        world.sink.handle = take  # type: ignore[method-assign]
        await world.take_after(before)
        await world.settle(2 * MINUTES)
        assert await world.states() == {DeliveryState.DELIVERED: 6}
        assert await disorder(world) == []

    run_scenario(tmp_path / "store", scenario)


async def nothing(_events: list[Event]) -> bool:
    """Do nothing: the sink is busy elsewhere."""
    return False


def test_results_recorded_by_an_unknown_commit_block_nothing(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        store = with_unknown_outcomes(world)
        await world.emit_events(1)
        store.unknown_left = 1
        await world.emit_events(limits.LANE_DELIVERIES_MAX + 5)
        await world.settle(2 * MINUTES)
        await world.emit_events(1)
        await world.settle(2 * MINUTES)
        assert await world.states() == {DeliveryState.DELIVERED: limits.LANE_DELIVERIES_MAX + 7}
        assert sum(world.term.pending.values()) == 0

    run_scenario(tmp_path / "store", scenario)


def test_attempts_recorded_by_an_unknown_commit_are_logged_once(tmp_path: Path) -> None:
    async def scenario(world: WebhookWorld) -> None:
        statuses = iter([500, 500])

        async def fails_first(_request: OutboundRequest) -> Answer:
            return next(statuses, 200)

        world.answer = fails_first
        store = with_unknown_outcomes(world)
        await world.emit_events(1)
        store.unknown_left = 2  # Both failures leave the delivery pending.
        await world.settle(1)
        await world.emit_events(1)
        store.unknown_left = 1
        await world.settle(1)
        assert await world.states() == {DeliveryState.DELIVERED: 2}
        outcomes = Counter(each.outcome for each in await world.log())
        assert outcomes == {LoggedOutcome.RETRYING: 2, LoggedOutcome.DELIVERED: 2}

    run_scenario(tmp_path / "store", scenario)


def test_a_pre_action_request_recorded_by_an_unknown_commit_is_logged_once(
    tmp_path: Path,
) -> None:
    async def scenario(world: WebhookWorld) -> None:
        store = UnknownOutcomes(world.store)
        store.unknown_left = 1
        world.sink.writer._store = store  # type: ignore[assignment]
        world.sink.record(pre_action_attempt())
        await world.settle(MINUTES)
        assert store.unknown_left == 0
        assert [each.outcome for each in await world.log()] == [LoggedOutcome.REJECTED]
        assert await world.states() == {DeliveryState.ASKED: 1}

    run_scenario(tmp_path / "store", scenario)


def pre_action_attempt() -> PreActionAttempt:
    """Return a request that was rejected."""
    return PreActionAttempt(
        scope=Scope(ACCOUNT),
        conversation_sid="",
        event_name="onUserUpdate",
        target=WebhookTarget(ACCOUNT, URL, "POST", None, "account", None),
        token="token",
        parameters={},
        outcome=LoggedOutcome.REJECTED,
        status=403,
        error_code=None,
        error=None,
        elapsed_ms=1,
        answer=b"",
        date_ms=1,
    )


async def replay_unhandled(world: WebhookWorld) -> int:
    """Replay all deliveries, and leave the event to the caller; return its predecessor."""
    take, world.sink.handle = world.sink.handle, nothing  # type: ignore[method-assign]
    before = await world.store.read(event_log.visible_through)
    await world.replay()
    world.sink.handle = take  # type: ignore[method-assign]
    return before


@pytest.mark.parametrize("rebuilds", ["resync", "start of a term", "nothing"])
def test_replayed_deliveries_are_counted_once_whenever_the_memory_was_rebuilt(
    tmp_path: Path, rebuilds: str
) -> None:
    async def scenario(world: WebhookWorld) -> None:
        await world.emit_events(3)
        await world.settle(MINUTES)
        world.answer = unavailable
        before = await replay_unhandled(world)
        if rebuilds == "resync":
            world.term.enter(SyncState.RESYNC)
            world.sink.writer.wake()
        elif rebuilds == "start of a term":
            await world.crash()
        await world.settle(MINUTES)
        await world.take_after(before)
        await world.settle(MINUTES)
        assert await world.states() == {DeliveryState.PENDING: 3}
        assert world.term.pending == {ACCOUNT: 3}
        # A later replay is not in the counts of the rebuilt memory.
        await world.emit_events(1, subject="US" + "1" * 32)
        await world.settle(24 * 4)
        assert await world.states() == {DeliveryState.FAILED: 4}
        assert sum(world.term.pending.values()) == 0
        await world.replay()
        assert world.term.pending == {ACCOUNT: 4}

    run_scenario(tmp_path / "store", scenario)


async def unavailable(_request: OutboundRequest) -> Answer:
    """Fail, so that a delivery stays pending."""
    return 500


def test_an_attempt_waits_for_an_unresponsive_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing, refused = SigningCache.get, [0]

    async def fails_twice(self: SigningCache, account_sid: str) -> SigningSettings:
        assert account_sid == ACCOUNT
        refused[0] += 1
        if refused[0] <= 2:
            raise Unavailable("gone")
        return await signing(self, account_sid)

    async def scenario(world: WebhookWorld) -> None:
        monkeypatch.setattr(SigningCache, "get", fails_twice)
        await world.emit_events(3)
        await world.settle(2 * MINUTES)
        assert await world.states() == {DeliveryState.DELIVERED: 3}
        assert len(world.sent) == 3

    run_scenario(tmp_path / "store", scenario)


def test_earlier_deliveries_are_found_though_the_first_poll_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: WebhookWorld) -> None:
        world.term.stop()  # Later events are not sent.
        await world.emit_events(3)
        await world.settle(MINUTES)
        assert world.sent == []
        calls = fail_once(monkeypatch, "endpoints")
        await world.crash()
        await world.settle(2 * MINUTES)
        assert len(calls) > 1
        assert await world.states() == {DeliveryState.DELIVERED: 3}

    run_scenario(tmp_path / "store", scenario)


def test_a_lane_continues_though_its_rest_could_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = limits.LANE_DELIVERIES_MAX + 5

    async def scenario(world: WebhookWorld) -> None:
        calls = fail_once(monkeypatch, "following")
        await world.emit_events(count)
        await world.settle(2 * MINUTES)
        assert len(calls) > 1
        assert await world.states() == {DeliveryState.DELIVERED: count}
        assert sum(world.term.pending.values()) == 0

    run_scenario(tmp_path / "store", scenario)
