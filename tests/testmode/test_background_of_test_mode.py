"""What test mode changes in the background: the disk, the logs, the deliveries, the egress."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.app import open_app
from parlour.config import Settings
from parlour.egress.wiring import make_egress
from parlour.operations.pacing import Pacing
from parlour.testmode.clock.clock_control import AdvanceOrder
from tests.events.in_process_server import WITH_HEADER, InProcessServer
from tests.events.webhook_backend import WebhookBackend
from tests.testmode.test_settlement import mode_of

if TYPE_CHECKING:
    from pathlib import Path

MONTH_MS = 31 * 24 * 3_600_000
SYNCHRONOUS_OFF, SYNCHRONOUS_FULL = 0, 2
LOGS = """
SELECT (SELECT COUNT(*) FROM webhook_attempt), (SELECT COUNT(*) FROM webhook_delivery),
       (SELECT COUNT(*) FROM event WHERE name = 'onConversationAdded')
"""


async def logs_after_a_month(folder: Path) -> list[tuple[Any, ...]]:
    """Return the number of log entries of one change: at once, and a month later."""
    async with WebhookBackend() as backend, InProcessServer(folder, test=True) as server:
        await server.enable_webhooks(backend, PreWebhookUrl="")
        await server.do("CreateConversation", origin=WITH_HEADER)
        found: list[tuple[Any, ...]] = []
        for by_ms in (0, MONTH_MS):
            control = mode_of(server).clock_control
            result = await control.advance(AdvanceOrder(mode_of(server).clock.now_ms() + by_ms))
            assert result.settled, result.waiting_for
            found += await server.store.read(lambda tx: tx.all(LOGS))
        return found


def test_the_logs_of_webhooks_and_events_have_no_retention_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, later = asyncio.run(logs_after_a_month(tmp_path / "all"))

    assert first == later == (1, 1, 1)
    # A planted fault: the retention of an ordinary server.
    monkeypatch.setattr("parlour.testmode.wiring.UNPACED", Pacing(scheduler_interval_ms_min=20))
    first, later = asyncio.run(logs_after_a_month(tmp_path / "deleted"))
    assert first != later


@pytest.mark.parametrize("is_test", [True, False])
def test_neither_commits_nor_deliveries_are_delayed(tmp_path: Path, is_test: bool) -> None:
    async def run() -> None:
        app = await open_app(Settings(data=tmp_path, test=is_test))
        store: Any = app.store
        try:
            (synchronous,) = store._writer.execute("PRAGMA synchronous").fetchone()
            assert synchronous == (SYNCHRONOUS_OFF if is_test else SYNCHRONOUS_FULL)
            app.admission.running = 1
            assert app._is_throttled() is not is_test
        finally:
            await store.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("settings", "is_allowed"),
    [
        ({"test": True}, True),
        ({"test": True, "webhook_allow_private": "no"}, False),
        ({}, False),
    ],
)
def test_webhooks_may_go_to_private_addresses(
    tmp_path: Path, settings: dict[str, Any], is_allowed: bool
) -> None:
    egress = make_egress(Settings(data=tmp_path, host="::", **settings))

    assert egress.policy.allow_private is is_allowed
