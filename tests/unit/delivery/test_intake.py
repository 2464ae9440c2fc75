"""The intake: events with webhooks are queued on disk, then in memory; unknown commits resync."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.delivery.intake import Intake
from parlour.delivery.intake_transaction import Enqueued, WebhookReplay
from parlour.delivery.states import SyncState
from parlour.delivery.term import PendingCounts
from parlour.store.transaction import Unavailable
from parlour.store.webhook_queue import DeliveryState
from parlour.vocabulary import limits
from tests.unit.delivery.lane_setup import delivery
from tests.unit.delivery.term_setup import Setup, run

if TYPE_CHECKING:
    from collections import Counter

    from parlour.store.webhook_queue import WebhookDelivery


class FakeIntakeTransaction:
    """Matches events with an odd number, and queues a delivery for each."""

    def __init__(self) -> None:
        self.written: list[tuple[int, list[int]]] = []
        self.enqueued = Enqueued([], [], [])
        self.unreadable: list[int] = []

    async def match(self, chunk: list[Any], _tx: object) -> list[Any]:
        if self.unreadable and chunk[0].sequence == self.unreadable[0]:
            self.unreadable.pop()
            raise Unavailable("gone")
        return [event for event in chunk if event.sequence % 2]

    async def enqueue(
        self, matched: list[Any], last: int, pending: Counter[str], _tx: object
    ) -> Enqueued:
        assert pending["AC1"] >= 0
        self.written.append((last, [event.sequence for event in matched]))
        self.enqueued.queued = [delivery(1, event.sequence) for event in matched]
        return self.enqueued


class Parts:
    """The intake, and what it calls."""

    def __init__(self, setup: Setup) -> None:
        self.transaction = FakeIntakeTransaction()
        self.searched: list[list[str]] = []
        self.woken = 0
        self.intake = Intake(
            setup.term,
            self.transaction,  # type: ignore[arg-type]
            setup.throttle,
            setup.metrics,
            SimpleNamespace(search=self.searched.append),  # type: ignore[arg-type]
            self._wake,
        )

    def _wake(self) -> None:
        self.woken += 1

    async def handle(self, *sequences: int) -> None:
        events: list[Any] = [SimpleNamespace(sequence=each) for each in sequences]
        await self.intake.handle(events)


def orders(setup: Setup) -> list[int]:
    return [
        each.lane_order
        for endpoint in setup.term.lanes.endpoints
        for lane in endpoint.lanes.values()
        for each in lane.waiting
    ]


def test_events_without_webhooks_take_no_transaction() -> None:
    async def scenario(setup: Setup) -> None:
        parts = Parts(setup)
        await parts.handle(2, 4)
        assert parts.transaction.written == []
        assert not setup.term.send_wanted.is_set()

    run(scenario)


def test_deliveries_are_queued_with_the_position_a_few_events_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "EVENTS_PER_ENQUEUING_MAX", 2)

    async def scenario(setup: Setup) -> None:
        parts = Parts(setup)
        await parts.handle(1, 2, 3, 4)
        assert parts.transaction.written == [(2, [1]), (4, [3])]
        assert setup.term.pending == {"AC1": 2}
        assert orders(setup) == [1, 3]
        assert setup.term.send_wanted.is_set()
        assert setup.term.poll_wanted.is_set()
        assert setup.term.sync is SyncState.SYNCED

    run(scenario)


def test_chunks_that_are_committed_are_not_handled_again_after_a_failed_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "EVENTS_PER_ENQUEUING_MAX", 1)

    async def scenario(setup: Setup) -> None:
        parts = Parts(setup)
        parts.transaction.unreadable.append(3)
        with pytest.raises(Unavailable):
            await parts.handle(1, 2, 3)
        assert parts.transaction.written == [(1, [1])]
        await parts.handle(1, 2, 3)
        assert parts.transaction.written == [(1, [1]), (3, [3])]
        assert setup.term.pending == {"AC1": 2}

    run(scenario)


def ended(made: WebhookDelivery) -> WebhookDelivery:
    return msgspec.structs.replace(made, state=DeliveryState.DROPPED)


def test_ended_reopened_and_unreadable_deliveries_are_counted() -> None:
    async def scenario(setup: Setup) -> None:
        parts = Parts(setup)
        setup.offer(7)
        setup.term.pending["AC1"] = 1
        parts.transaction.enqueued = Enqueued(
            [], [ended(delivery(1, 7))], [WebhookReplay("AC2", 8, 3)], 2
        )
        await parts.handle(9)
        assert setup.term.pending == {"AC1": 1, "AC2": 3}
        assert setup.metrics.outcomes == {"dropped": 1, "unreadable": 2}
        assert parts.searched == [["AC2"]]
        assert orders(setup) == []  # On disk, and to be polled.
        assert setup.term.lanes.next_poll_ms() == 0

    run(scenario)


def test_a_replay_that_may_be_counted_already_wakes_the_writer_to_count_it() -> None:
    async def scenario(setup: Setup) -> None:
        parts = Parts(setup)
        setup.term.set_counts(PendingCounts({"AC2": 3}, 8))
        parts.transaction.enqueued = Enqueued([], [], [WebhookReplay("AC2", 8, 3)])
        await parts.handle(8, 9)
        assert (setup.term.pending["AC2"], setup.term.recounts) == (3, {"AC2"})
        assert parts.woken == 1
        assert parts.searched == [["AC2"]]

    run(scenario)


def test_after_an_unknown_commit_the_lanes_are_invalidated_and_the_memory_is_rebuilt() -> None:
    async def scenario(setup: Setup) -> None:
        parts = Parts(setup)
        setup.offer(1)
        for _ in range(2):
            setup.store.write_failures.append(Unavailable("no answer"))
            with pytest.raises(Unavailable):
                await parts.handle(3)
            assert setup.term.sync is SyncState.INTAKE_UNKNOWN
        assert orders(setup) == [1]
        await parts.handle(2)  # Events without webhooks: even so, it is repeated.
        assert parts.transaction.written == [(2, [])]
        assert setup.term.sync is SyncState.RESYNC
        assert orders(setup) == []
        assert parts.woken == 1

    run(scenario)
