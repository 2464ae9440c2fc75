"""A term of delivery without database and network, for the tests of its parts."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from parlour.delivery.attempts import AttemptResult
from parlour.delivery.cpu_throttle import CpuThrottle
from parlour.delivery.term import DeliveryTerm, PendingCounts
from parlour.delivery.webhook_metrics import WebhookMetrics
from parlour.resources.webhook_attempts.store import LoggedOutcome, WebhookAttempt
from parlour.store.leases import LocalLeaseTerm
from parlour.store.webhook_queue import DeliveryState
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from tests.unit.delivery.lane_setup import URL, delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import pytest

    from parlour.store.webhook_queue import WebhookDelivery

SECONDS_MAX = 10


async def _no_row(*_: Any) -> None:
    """Find nothing."""


class FakeStore:
    """Runs work on an empty transaction double; the next uses fail as a test configures."""

    is_shared = False

    def __init__(self) -> None:
        self.tx: Any = SimpleNamespace(now=1000, one=_no_row)
        self.read_failures: list[Exception] = []
        self.write_failures: list[Exception] = []
        self.commit_failures: list[Exception] = []

    async def read(self, work: Callable[[Any], Coroutine[Any, Any, Any]], **_: Any) -> Any:
        await asyncio.sleep(0)
        if self.read_failures:
            raise self.read_failures.pop(0)
        return await work(self.tx)

    async def write(self, work: Callable[[Any], Coroutine[Any, Any, Any]], **_: Any) -> Any:
        await asyncio.sleep(0)
        if self.write_failures:
            raise self.write_failures.pop(0)
        result = await work(self.tx)
        if self.commit_failures:
            raise self.commit_failures.pop(0)
        return result


class Setup:
    """A term, and the collaborators of its parts."""

    def __init__(self) -> None:
        self.store: Any = FakeStore()
        self.clock = FakeClock()
        self.is_busy = False
        self.throttle = CpuThrottle(self.clock, lambda: self.is_busy)
        self.metrics = WebhookMetrics(self.clock)
        counts = PendingCounts({"AC1": 0}, 0)
        self.term = DeliveryTerm(LocalLeaseTerm(self.store), self.store, counts)
        self.woken: list[str] = []

    def offer(self, *orders: int, lane: int = 1, account: str = "AC1") -> None:
        """Offer deliveries of one lane."""
        for order in orders:
            self.term.lanes.offer(delivery(lane, order, account=account))

    def use_up_the_throttle(self, account_sid: str, ms: float = 100.0) -> None:
        """Simulate running requests, and an account above its share."""
        self.is_busy = True
        self.throttle.wait_ms()
        self.throttle.charge(ms, account_sid)


def result_of(made: WebhookDelivery, **changes: Any) -> AttemptResult:
    """The result of a successful attempt, or of another one."""
    values: dict[str, Any] = {
        "delivery": made,
        "outcome": LoggedOutcome.DELIVERED,
        "state": DeliveryState.DELIVERED,
        "retry_count": 0,
        "due_ms": None,
        "status": 200,
        "error_code": None,
        "error": None,
        "elapsed_ms": 1,
        "answer": "",
        "at_ms": 1000,
        "timed_out": False,
        "was_sent": True,
    }
    return AttemptResult(**values | changes)


def failed(made: WebhookDelivery, **changes: Any) -> AttemptResult:
    """The result of a failed attempt that is followed by another one."""
    again = {
        "outcome": LoggedOutcome.RETRYING,
        "state": DeliveryState.PENDING,
        "retry_count": 1,
        "due_ms": 5000,
        "status": 500,
    }
    return result_of(made, **again | changes)


def pre_action_of(account: str = "AC1", outcome: str = "delivered") -> Any:
    """A pre-action request, as far as the writer reads it."""
    return SimpleNamespace(scope=SimpleNamespace(account_sid=account), outcome=outcome)


def logged_pre_action(made: Any, sid: str) -> tuple[str, WebhookAttempt]:
    """The URL and the log entry of a pre-action request."""
    account_sid = made.scope.account_sid
    return URL, WebhookAttempt(account_sid, sid, 0, "", "", "", made.outcome, 1000)


def run(scenario: Callable[[Setup], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on a new term."""

    async def bounded() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            await scenario(Setup())

    asyncio.run(bounded())


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; the scenario's timeout ends it."""
    while not holds():  # noqa: ASYNC110 - a condition has no event.
        await asyncio.sleep(0.001)


def retry_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry failures after a millisecond."""
    monkeypatch.setattr(limits, "SINK_RETRY_MS", 1)
