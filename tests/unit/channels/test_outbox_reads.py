"""Reads of the outbox while results are recorded: no submission is sent again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.channels.outbox_queue import CarrierQueue
from tests.unit.channels.outbox_setup import OutboxSetup, ScriptedCarrier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    from parlour.channels.outbox_results import LoadedSubmission
    from parlour.store.transaction import Transaction


async def _is_sent(carrier: ScriptedCarrier) -> bool:
    return bool(carrier.sent)


def test_a_read_that_began_before_a_result_was_recorded_repeats_no_submission(
    run_outbox: Callable[[Callable[[OutboxSetup], Awaitable[None]]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On PostgreSQL a snapshot may be older than a result that is committed during the read."""
    released = asyncio.Event()
    release, read_step = CarrierQueue.release, CarrierQueue._read_step

    def release_and_notify(self: CarrierQueue, loaded: LoadedSubmission) -> None:
        release(self, loaded)
        released.set()

    async def read_as_released(self: CarrierQueue, tx: Transaction) -> Any:
        loaded, self._loaded = self._loaded, set()
        step = await read_step(self, tx)
        self._loaded = loaded
        return step

    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        gate = carrier.gates["+1"] = asyncio.Event()
        read = outbox.store.read

        async def read_slowly(work: Any, **more: Any) -> Any:
            result = await read(work, **more)
            if carrier.in_flight and work.__name__ == read_as_released.__name__:
                gate.set()
                await released.wait()
            return result

        await outbox.add_message(0, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until(lambda: _is_sent(carrier))
            monkeypatch.setattr(CarrierQueue, "release", release_and_notify)
            monkeypatch.setattr(CarrierQueue, "_read_step", read_as_released)
            monkeypatch.setattr(outbox.store, "read", read_slowly)
            await outbox.add_message(1, "+2")
            await outbox.until_recorded()
        assert released.is_set()
        assert carrier.bodies("+1") == ["message 0"]

    run_outbox(scenario)
