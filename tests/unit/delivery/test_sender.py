"""The sender: ready lanes become requests, results are queued, accounts wait for their share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.delivery.sender import Sender
from parlour.operations.open_work import OpenWork
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from tests.unit.delivery.lane_setup import delivery
from tests.unit.delivery.term_setup import Setup, result_of, retry_soon, run, until

if TYPE_CHECKING:
    import pytest

    from parlour.delivery.attempts import AttemptResult, MaySend
    from parlour.store.webhook_queue import WebhookDelivery


class FailingClient:
    """A client whose attempts succeed after a configured number of failures."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.sent: list[int] = []

    async def attempt(self, made: WebhookDelivery, may_send: MaySend) -> AttemptResult:
        assert may_send()
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(made.lane_order)
        return result_of(made)


async def running(setup: Setup, client: Any) -> tuple[Sender, asyncio.Task[None]]:
    sender = Sender(
        setup.term, client, setup.throttle, lambda: setup.woken.append("writer"), FakeClock()
    )
    return sender, asyncio.create_task(sender.run())


def test_the_deliveries_of_a_lane_are_sent_in_order_and_their_results_queued() -> None:
    async def scenario(setup: Setup) -> None:
        client = FailingClient()
        setup.offer(1, 2, 3)
        sender, task = await running(setup, client)
        await until(lambda: len(setup.term.results) == 3)
        assert client.sent == [1, 2, 3]
        assert setup.woken == ["writer"] * 3
        # The task of the last request ends in the step that queues its result, and is removed by
        # a callback in the next iteration of the event loop.
        await until(lambda: len(sender.requests) == 0)
        setup.term.stop()
        await task

    run(scenario)


def test_a_lane_that_becomes_ready_is_sent_without_a_poll() -> None:
    async def scenario(setup: Setup) -> None:
        client = FailingClient()
        _, task = await running(setup, client)
        await asyncio.sleep(0.01)
        setup.offer(1)
        setup.term.send_wanted.set()
        await until(lambda: client.sent == [1])
        setup.term.stop()
        await task

    run(scenario)


def test_the_loop_is_yielded_after_some_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEBHOOKS_STARTED_PER_LOOP_TURN", 1)

    async def scenario(setup: Setup) -> None:
        client = FailingClient()
        for lane in range(3):
            setup.offer(lane + 1, lane=lane)
        _, task = await running(setup, client)
        await until(lambda: sorted(client.sent) == [1, 2, 3])
        setup.term.stop()
        await task

    run(scenario)


def test_an_attempt_is_retried_while_the_store_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    retry_soon(monkeypatch)

    async def scenario(setup: Setup) -> None:
        client = FailingClient(Busy("locked"), Unavailable("gone"))
        setup.offer(1)
        _, task = await running(setup, client)
        await until(lambda: client.sent == [1])
        setup.term.stop()
        await task

    run(scenario)


def test_with_too_many_unrecorded_results_only_accounts_without_any_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "ATTEMPTS_UNRECORDED_MAX", 1)

    async def scenario(setup: Setup) -> None:
        client = FailingClient()
        setup.offer(1, 2)
        _, task = await running(setup, client)
        await until(lambda: client.sent == [1])
        setup.offer(7, account="AC2")
        setup.term.send_wanted.set()
        await until(lambda: client.sent == [1, 7])
        setup.term.results.clear()
        setup.term.send_wanted.set()
        await until(lambda: client.sent == [1, 7, 2])
        setup.term.stop()
        await task

    run(scenario)


def test_an_account_that_used_up_its_share_waits_for_the_throttle() -> None:
    async def scenario(setup: Setup) -> None:
        client = FailingClient()
        setup.use_up_the_throttle("AC1")
        setup.throttle.charge(1.0, "AC2")
        setup.offer(1)
        setup.offer(2, account="AC2")
        _, task = await running(setup, client)
        await until(lambda: client.sent == [2])
        await asyncio.sleep(0.01)
        assert client.sent == [2]
        setup.is_busy = False
        setup.term.send_wanted.set()
        await until(lambda: client.sent == [2, 1])
        setup.term.stop()
        await task

    run(scenario)


def test_requests_in_flight_are_open_work() -> None:
    async def scenario(setup: Setup) -> None:
        may_end = asyncio.Event()

        class HangingClient(FailingClient):
            async def attempt(self, made: WebhookDelivery, _may_send: MaySend) -> AttemptResult:
                await may_end.wait()
                return result_of(made)

        setup.offer(1)
        sender, task = await running(setup, HangingClient())
        await until(lambda: len(sender.requests) == 1)
        await asyncio.sleep(0)
        made = delivery(1, 1)
        since_ms = FakeClock().monotonic_ms()
        expected = OpenWork(f"webhook {made.method} {made.url}", "AC1", since_ms)
        assert list(sender.open_work()) == [expected]
        may_end.set()
        await until(lambda: len(sender.requests) == 0)
        assert list(sender.open_work()) == []
        setup.term.stop()
        await task

    run(scenario)


def test_nothing_is_sent_for_an_account_whose_rows_are_replaced() -> None:
    async def scenario(setup: Setup) -> None:
        client = FailingClient()
        setup.term.is_held = lambda account_sid: account_sid == "AC1"
        setup.offer(1)
        setup.offer(2, account="AC2")
        _, task = await running(setup, client)
        await until(lambda: client.sent)
        assert client.sent == [2]
        setup.term.is_held = None
        setup.term.send_wanted.set()
        await until(lambda: client.sent == [2, 1])
        setup.term.stop()
        await task

    run(scenario)
