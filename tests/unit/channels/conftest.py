"""Fixtures of the tests of the outbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.unit.channels.outbox_setup import OutboxSetup

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    OutboxScenario = Callable[[OutboxSetup], Awaitable[None]]


@pytest.fixture
def run_outbox(tmp_path: Path) -> Callable[[OutboxScenario], None]:
    """Return a function that runs a scenario on a new store."""

    def run_scenario(scenario: OutboxScenario) -> None:
        async def run() -> None:
            outbox = OutboxSetup(tmp_path / "parlour.sqlite3")
            try:
                await scenario(outbox)
            finally:
                await outbox.store.close()

        asyncio.run(run())

    return run_scenario
