"""Slow reads in virtual time: events during a read are published in order."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from parlour.store.webhook_queue import DeliveryState
from parlour.vocabulary import limits
from tests.virtual_time.test_retries import NARROW, SEEDS, disorder
from tests.virtual_time.virtual_loop import WebhookWorld, run_scenario

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Store

SECONDS_MAX = 0.01
SUBJECTS = 3
HOURS = 0.5


class Slow:
    """A remote store: a result is some milliseconds old when it arrives."""

    def __init__(self, store: Store, dice: random.Random) -> None:
        self._store = store
        self._dice = dice
        self.write = store.write

    async def read(self, *given: Any, **more: Any) -> Any:
        """Return the current state after a delay."""
        found = await self._store.read(*given, **more)
        await asyncio.sleep(self._dice.uniform(0, SECONDS_MAX))
        return found


@pytest.mark.parametrize("seed", range(SEEDS))
def test_events_during_a_store_read_are_sent_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    for name, values in NARROW.items():
        monkeypatch.setattr(limits, name, dice.choice(values))

    async def scenario(world: WebhookWorld) -> None:
        world.term.reads = Slow(world.store, dice)  # type: ignore[assignment]
        count = 0
        for _ in range(60):
            event_count = dice.randrange(1, 4)
            count += event_count
            await world.emit_events(event_count, subject=f"US{dice.randrange(SUBJECTS):032x}")
            await asyncio.sleep(dice.choice([0, 0.001, 0.005, 0.02]))
        await world.settle(HOURS)
        assert await world.states() == {DeliveryState.DELIVERED: count}
        assert await disorder(world) == []
        assert len(world.sent) == count
        assert sum(world.term.pending.values()) == 0

    run_scenario(tmp_path / "slow.sqlite3", scenario)
