"""The webhook sink: the events it accepts, its lease terms, graceful and abrupt ends."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from parlour.delivery import result_writer
from parlour.delivery.states import SyncState
from parlour.delivery.webhook_sink import WebhookSink
from parlour.operations.server_parts import EndpointActivity
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_endpoints import store as webhook_endpoint_store
from parlour.store import webhook_queue
from parlour.store.transaction import Unavailable
from parlour.vocabulary import event_names
from parlour.vocabulary.clock import SystemRandom
from tests.unit.delivery.lane_setup import URL, delivery
from tests.unit.delivery.term_setup import (
    Setup,
    logged_pre_action,
    pre_action_of,
    result_of,
    run,
    until,
)

if TYPE_CHECKING:
    from parlour.delivery.attempts import AttemptResult
    from parlour.resources.webhook_attempts.store import WebhookAttempt
    from parlour.store.webhook_queue import WebhookDelivery


class HeldClient:
    """A client whose attempts last until a test lets them end."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.sent: list[int] = []

    async def attempt(self, made: WebhookDelivery, _may_send: object) -> AttemptResult:
        self.sent.append(made.lane_order)
        await self.may_end.wait()
        return result_of(made)


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The orders of the deliveries whose results were written."""
    found: list[int] = []

    async def record(_tx: object, made: WebhookDelivery, *_: Any) -> int:
        found.append(made.lane_order)
        return 1

    async def nothing(*_: Any) -> Any:
        return []

    async def logged_attempt(_tx: object, each: Any, sid: str) -> tuple[str, WebhookAttempt]:
        return logged_pre_action(each, sid)

    async def counts(_tx: object) -> dict[str, int]:
        return {"AC1": 2}

    monkeypatch.setattr(webhook_queue, "record_result", record)
    monkeypatch.setattr(webhook_queue, "counts", counts)
    for name in ("endpoints", "heads", "promote", "cap_due"):
        monkeypatch.setattr(webhook_queue, name, nothing)
    monkeypatch.setattr(webhook_queue, "oldest_date", lambda *_: _none())
    monkeypatch.setattr(webhook_attempt_store, "insert_attempt", nothing)
    monkeypatch.setattr(webhook_attempt_store, "new_attempt_sid", lambda _: "WA1")
    monkeypatch.setattr(webhook_endpoint_store, "save_endpoint", nothing)
    monkeypatch.setattr(result_writer, "write_pre_action", logged_attempt)
    return found


async def _none() -> None:
    return None


class EndableTerm:
    """A lease term that a test ends."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.is_held = True

    def is_current(self) -> bool:
        return self.is_held


def sink_of(setup: Setup, client: Any = None) -> WebhookSink:
    return WebhookSink(
        setup.store, client or HeldClient(), setup.throttle, setup.clock, SystemRandom()
    )


def event(name: str, *, fires: bool) -> Any:
    return SimpleNamespace(name=name, fires=fires)


def test_the_sink_takes_firing_events_and_those_that_change_the_queue() -> None:
    async def scenario(setup: Setup) -> None:
        sink = sink_of(setup)
        assert sink.wants(event(event_names.ON_MESSAGE_ADDED, fires=True))
        assert not sink.wants(event(event_names.ON_MESSAGE_ADDED, fires=False))
        assert sink.wants(event(event_names.WEBHOOKS_REPLAYED, fires=False))

    run(scenario)


def backlog(sink: WebhookSink) -> float:
    (metric,) = (each for each in sink.metrics() if each.name == "parlour_webhook_backlog")
    return metric.samples[0].value


def test_the_backlog_is_that_of_the_term() -> None:
    async def scenario(setup: Setup) -> None:
        sink = sink_of(setup)
        assert backlog(sink) == 0
        await sink.start()
        assert backlog(sink) == 2
        await sink.stop()

    run(scenario)


def test_events_are_queued_by_the_intake_of_the_term(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(setup: Setup) -> None:
        sink = sink_of(setup)
        await sink.start()
        handled: list[Any] = []
        assert sink._intake is not None

        async def handle(batch: list[Any]) -> None:
            handled.extend(batch)

        monkeypatch.setattr(sink._intake, "handle", handle)
        assert await sink.handle(["event"]) is False  # type: ignore[list-item]
        assert handled == ["event"]
        await sink.stop()

    run(scenario)


def test_with_the_lease_a_term_ends_after_its_requests_and_their_results(
    recorded: list[int],
) -> None:
    async def scenario(setup: Setup) -> None:
        client = HeldClient()
        sink = sink_of(setup, client)
        await sink.start_term(EndableTerm(setup.store))
        assert sink.term is not None
        sink.term.lanes.offer(delivery(1, 1))
        sink.term.send_wanted.set()
        await until(lambda: client.sent == [1])
        ending = asyncio.create_task(sink.end_term())
        await asyncio.sleep(0.01)
        assert not ending.done()
        client.may_end.set()
        await ending
        assert recorded == [1]
        assert sink.term is None

    run(scenario)


def test_without_the_lease_requests_and_results_are_dropped_and_a_new_term_starts_empty(
    recorded: list[int],
) -> None:
    async def scenario(setup: Setup) -> None:
        client = HeldClient()
        sink = sink_of(setup, client)
        term = EndableTerm(setup.store)
        await sink.start_term(term)
        assert sink.term is not None
        sink.term.lanes.offer(delivery(1, 1))
        sink.term.send_wanted.set()
        await until(lambda: client.sent == [1])
        term.is_held = False
        await sink.end_term()
        assert (sink.term, recorded) == (None, [])
        await sink.start_term(EndableTerm(setup.store))
        assert sink.term is not None
        assert not list(sink.term.lanes.endpoints)
        await sink.stop()

    run(scenario)


def test_pre_action_requests_are_written_after_the_end_of_a_term() -> None:
    async def scenario(setup: Setup) -> None:
        sink = sink_of(setup)
        await sink.start()
        setup.store.write_failures.append(Unavailable("gone"))
        sink.record(pre_action_of())
        await until(lambda: not setup.store.write_failures)
        await sink.abort()
        assert sink.writer.has_work
        await until(lambda: not sink.writer.has_work)
        await sink.stop()

    run(scenario)


def test_a_sink_without_a_term_stops_and_aborts_at_once() -> None:
    async def scenario(setup: Setup) -> None:
        sink = sink_of(setup)
        await sink.abort()
        await sink.stop()

    run(scenario)


def test_the_activity_of_an_endpoint_is_known_while_it_has_deliveries_in_memory() -> None:
    async def scenario(setup: Setup) -> None:
        client = HeldClient()
        sink = sink_of(setup, client)
        assert sink.endpoint_activity("AC1", URL) is None
        await sink.start()
        term = sink.term
        assert term is not None
        assert sink.endpoint_activity("AC1", URL) is None
        term.lanes.offer(delivery(1, 1))
        term.send_wanted.set()
        await until(lambda: bool(client.sent))
        assert sink.endpoint_activity("AC1", URL) == EndpointActivity("answering", 1, 4)
        assert sink.endpoint_activity("AC2", URL) is None
        client.may_end.set()
        await until(lambda: sink.endpoint_activity("AC1", URL) is None)
        await sink.stop()

    run(scenario)


def test_searches_and_a_resync_are_open_work_and_a_clock_change_polls() -> None:
    async def scenario(setup: Setup) -> None:
        sink = sink_of(setup)
        sink.clock_changed()
        assert list(sink.open_work()) == []
        await sink.start()
        assert [each.what for each in sink.open_work()] == ["reads of the webhook queue"]
        await until(lambda: list(sink.open_work()) == [])
        term = sink.term
        assert term is not None
        term.enter(SyncState.RESYNC)
        assert [each.what for each in sink.open_work()] == ["a resync of the webhook queue"]
        term.enter(SyncState.SYNCED)
        term.poll_wanted.clear()
        sink.clock_changed()
        assert term.poll_wanted.is_set()
        await sink.stop()

    run(scenario)


def test_while_rows_of_an_account_are_replaced_nothing_of_it_is_sent_or_written(
    recorded: list[int],
) -> None:
    async def scenario(setup: Setup) -> None:
        client = HeldClient()
        sink = sink_of(setup, client)
        await sink.start()
        term = sink.term
        assert term is not None
        for account_sid, order in (("AC1", 1), ("AC2", 2)):
            term.lanes.offer(delivery(order, order, account=account_sid))
        term.send_wanted.set()
        await until(lambda: len(client.sent) == 2)

        async with sink.quiesced(lambda account_sid: account_sid == "AC1", 0.001):
            term.lanes.offer(delivery(3, 3))
            term.send_wanted.set()
            client.may_end.set()
            await until(lambda: term.results.account_sids() == ["AC2"])
            assert recorded == []
            await sink.reload(lambda account_sid: account_sid == "AC1")
            assert [each.key[0] for each in term.lanes.endpoints] == ["AC2"]
            assert term.pending == {"AC1": 2}
        await until(lambda: recorded == [2])
        assert sorted(client.sent) == [1, 2]
        await sink.stop()

    run(scenario)


def test_without_a_term_there_is_nothing_to_replace() -> None:
    async def scenario(setup: Setup) -> None:
        sink = sink_of(setup)
        async with sink.quiesced(lambda _account_sid: True, 1):
            await sink.reload(lambda _account_sid: True)
        assert sink.term is None

    run(scenario)
