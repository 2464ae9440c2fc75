"""The heartbeat of a node: it survives failed renewals, and users are recorded again after many."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from parlour.realtime.hub import UserKey
from parlour.realtime.presence import Presence
from parlour.store.transaction import Busy
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

USER = UserKey("AC" + "0" * 32, "IS" + "0" * 32, "alice")


class Writes:
    """A shared store whose writes fail with the next error of a list, if there is one."""

    is_shared = True

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.count = 0
        self.reads: list[str] = []

    async def write(self, _work: Any) -> None:
        self.count += 1
        # The first write registers the node, before its heartbeat.
        if self.count > 1 and self.errors:
            raise self.errors.pop(0)

    async def read(self, _work: Any, *, account_sid: str) -> None:
        """No service has reachability enabled."""
        self.reads.append(account_sid)


class Users:
    """A hub with one connected user."""

    def users(self) -> list[UserKey]:
        return [USER]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a condition has no event.
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def _frequent_renewals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "NODE_MS", 8)


@pytest.mark.parametrize(
    ("error", "level"), [(Busy(), "warning"), (RuntimeError("bug"), "error")], ids=repr
)
def test_heartbeat_continues_after_a_failed_renewal_and_logs_it(
    error: Exception, level: str
) -> None:
    store = Writes(error)

    async def scenario() -> None:
        presence = Presence(store, Users(), FakeClock(), "node")  # type: ignore[arg-type]
        await presence.start()
        await until(lambda: store.count > 3)
        await presence.stop()

    with capture_logs() as logged:
        asyncio.run(scenario())
    assert [(each["event"], each["log_level"]) for each in logged] == [
        ("node_renewal_failed", level)
    ]


@pytest.mark.parametrize(("elapsed_ms", "recorded"), [(9, True), (8, False)])
def test_users_are_recorded_again_only_if_the_node_was_considered_dead(
    elapsed_ms: int, recorded: bool
) -> None:
    store = Writes()

    async def scenario() -> None:
        clock = FakeClock()
        presence = Presence(store, Users(), clock, "node")  # type: ignore[arg-type]
        await presence.start()
        clock.advance(elapsed_ms)
        await until(lambda: store.count > 3)
        await presence.stop()

    asyncio.run(scenario())
    assert store.reads == ([USER.account_sid] if recorded else [])
