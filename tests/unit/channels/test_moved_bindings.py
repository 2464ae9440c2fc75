"""A binding that moves to another conversation: its messages wait for the backlog it left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parlour.channels.carrier import Rejected
from parlour.operations import purge
from tests.unit.channels.outbox_setup import (
    SCOPE,
    OutboxSetup,
    ScriptedCarrier,
    conversation_sid_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    RunOutbox = Callable[[Callable[[OutboxSetup], Awaitable[None]]], None]

THROTTLED = Rejected(30001, "throttled", retry_after_seconds=60)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_new_conversation_of_a_binding_waits_for_the_backlog_of_the_closed_one(
    run_outbox: RunOutbox, restarts: bool
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", THROTTLED)
        await outbox.add_message(7, "+1")
        last = await outbox.add_message(8, "+1", "+2")
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(last, None, "sent")
            await outbox.until(lambda: _is_retried(outbox))
            outbox.clock.advance(1)
            newest = await outbox.add_message(0, "+1", "+3", conversation=2)
            await outbox.until_receipts(newest, None, "sent")
            if not restarts:
                outbox.clock.advance(60_000)
                await outbox.until_receipts(newest, "sent", "sent")
        if restarts:
            outbox.clock.advance(60_000)
            async with outbox.running(virtual=carrier):
                await outbox.until_receipts(newest, "sent", "sent")
        assert carrier.bodies("+1") == ["message 7", "message 7", "message 8", "message 0"]

    run_outbox(scenario)


def test_a_binding_does_not_wait_for_a_deleted_conversation(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", THROTTLED)
        await outbox.add_message(7, "+1")
        await outbox.add_message(8, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until(lambda: _is_retried(outbox))
            outbox.clock.advance(1)
            newest = await outbox.add_message(0, "+1", conversation=2)
            await outbox.store.write(
                lambda tx: purge.enqueue_conversation(tx, SCOPE, conversation_sid_of(1))
            )
            while await outbox.store.write(purge.purge_step):
                pass
            await outbox.until_receipts(newest, "sent")
        assert carrier.bodies("+1") == ["message 7", "message 0"]

    run_outbox(scenario)


def test_heads_of_a_lane_never_wait_for_each_other(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        outbox.clock.advance(60_000)
        first = await outbox.add_message(0, "+1")
        second = await outbox.add_message(0, "+1", conversation=2)
        outbox.clock._now_ms -= 60_000  # The wall clock is set back.
        third = await outbox.add_message(1, "+1", conversation=2)
        outbox.clock.advance(60_000)
        async with outbox.running(virtual=carrier):
            for sid in (first, second, third):
                await outbox.until_receipts(sid, "sent")

    run_outbox(scenario)


async def _is_retried(outbox: OutboxSetup) -> bool:
    return any(each.attempts for each in await outbox.submissions() if each.state == "queued")
