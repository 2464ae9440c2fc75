"""Deliveries on disk and the sync of the memory: they change as their tables define."""

from __future__ import annotations

import asyncio
import random
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from parlour.delivery import give_up
from parlour.delivery.states import (
    DELIVERY_TRANSITIONS,
    SYNC_TRANSITIONS,
    Part,
    SyncState,
    Transition,
)
from parlour.delivery.term import DeliveryTerm
from parlour.store import webhook_queue
from parlour.store.leases import LocalLeaseTerm
from parlour.store.sqlite.engine import SqliteStore
from parlour.store.transaction import Unavailable
from parlour.store.webhook_queue import DeliveryState, WebhookDelivery
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.scope import Scope
from tests.support.unknown_outcomes import UnknownOutcomes
from tests.unit.delivery.lane_setup import ACCOUNT, delivery
from tests.virtual_time.virtual_loop import WebhookWorld, run_scenario

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from parlour.store.transaction import Transaction

STEPS = 800
STATES = "SELECT event_sequence, state FROM webhook_delivery"
ROWS = "SELECT {} FROM webhook_delivery ORDER BY event_sequence"
HEADS = (
    "SELECT lane, event_sequence, lane_order, due_ms FROM webhook_delivery"
    " WHERE state = 'pending' ORDER BY lane, lane_order"
)
ENDS = [
    DeliveryState.DELIVERED,
    DeliveryState.FAILED,
    DeliveryState.STOPPED,
    DeliveryState.PENDING,
]


class DeliveryRows:
    """The deliveries of an account on disk, and what each part does to them."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.number = 0

    async def all(self, tx: Transaction) -> list[WebhookDelivery]:
        record = WebhookDelivery
        names = ", ".join(record.__struct_fields__)
        return [record(*row) for row in await tx.all(ROWS.format(names))]

    async def change(self, tx: Transaction) -> Part:
        """Have one part do something; return which."""
        rows = await self.all(tx)
        steps = [self.queue, self.queue, self.log_pre_action]
        if rows:
            steps += [
                self.record,
                self.record,
                self.record,
                self.replay,
                self.replay,
                self.stop,
                self.drop,
                self.expire,
            ]
            steps.append(self.cap)
        return await self.dice.choice(steps)(tx, rows)

    async def queue(self, tx: Transaction, _rows: object) -> Part:
        self.number += 1
        made = delivery(self.dice.randrange(3), self.number)
        order = webhook_queue.live_order(self.number, 0)
        made = msgspec.structs.replace(made, webhook_sid="WH1", lane_order=order)
        await webhook_queue.add(tx, made)
        return Part.INTAKE

    async def log_pre_action(self, tx: Transaction, _rows: object) -> Part:
        self.number += 1
        made = delivery(0, self.number, due_ms=None)
        pre_action = msgspec.structs.replace(made, state=DeliveryState.ASKED)
        await webhook_queue.insert_delivery(tx, pre_action)
        return Part.RESULT_WRITER

    async def record(self, tx: Transaction, rows: list[WebhookDelivery]) -> Part:
        made, state = self.dice.choice(rows), self.dice.choice(ENDS)
        is_pending = state == DeliveryState.PENDING
        if is_pending and made.due_ms is None:
            return Part.RESULT_WRITER  # Only the head of a lane is sent.
        due_ms = tx.now + 9 if is_pending else None
        await webhook_queue.record_result(tx, made, state, 1, due_ms)
        await webhook_queue.promote(tx, ACCOUNT, made.lane)
        return Part.RESULT_WRITER

    async def stop(self, tx: Transaction, rows: list[WebhookDelivery]) -> Part:
        await give_up.stop_removed(tx, ACCOUNT, self.dice.choice(rows).lane, "WH1")
        return Part.INTAKE

    async def drop(self, tx: Transaction, _rows: object) -> Part:
        await give_up.drop_oldest(tx, ACCOUNT, 1)
        return Part.INTAKE

    async def cap(self, tx: Transaction, _rows: object) -> Part:
        await webhook_queue.cap_due(tx, ACCOUNT)
        return Part.DUE_POLLER

    async def replay(self, tx: Transaction, rows: list[WebhookDelivery]) -> Part:
        await webhook_queue.reopen(tx, Scope(ACCOUNT), self.dice.choice(rows))
        return Part.REPLAY

    async def expire(self, tx: Transaction, _rows: object) -> Part:
        await webhook_queue.delete_ended(tx, tx.now + 1, self.dice.choice([1, 1, 100]))
        return Part.RETENTION


async def states_of(tx: Transaction) -> dict[int, str]:
    return dict(await tx.all(STATES))  # type: ignore[arg-type]


async def heads_are_first(tx: Transaction) -> None:
    """In each lane the first pending delivery has a date, and no other has one."""
    seen: set[int] = set()
    for lane, _, _, due_ms in await tx.all(HEADS):
        assert (due_ms is not None) == (lane not in seen)
        seen.add(lane)


def changes(before: dict[int, str], after: dict[int, str], part: Part) -> Iterable[Transition]:
    for number in before.keys() | after.keys():
        old = DeliveryState(before.get(number, "absent"))
        new = DeliveryState(after.get(number, "absent"))
        if old is not new:
            yield Transition(old, new, part)


def test_deliveries_make_all_transitions_of_the_table_and_no_other(tmp_path: Path) -> None:
    async def scenario() -> set[Transition]:
        store = SqliteStore(tmp_path / "s", FakeClock(), SystemRandom(), synchronous="OFF")
        rows, made = DeliveryRows(random.Random(10)), set()

        async def step(tx: Transaction) -> None:
            before = await states_of(tx)
            part = await rows.change(tx)
            made.update(changes(before, await states_of(tx), part))
            await heads_are_first(tx)

        for _ in range(STEPS):
            await store.write(step)
        await store.close()
        return made

    made = asyncio.run(scenario())
    legal = {each for each in DELIVERY_TRANSITIONS if each.state is not each.becomes}
    assert made - legal == set()
    assert legal - made == set()


PART_OF = {
    "parlour.delivery.intake": Part.INTAKE,
    "parlour.delivery.result_writer": Part.RESULT_WRITER,
}


def test_the_sync_of_the_memory_makes_all_transitions_of_the_table_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: set[Transition] = set()
    enter = DeliveryTerm.enter

    def record(term: DeliveryTerm, state: SyncState) -> None:
        module = sys._getframe(1).f_globals["__name__"]
        made.add(Transition(term.sync, state, PART_OF[module]))
        enter(term, state)

    monkeypatch.setattr(DeliveryTerm, "enter", record)
    monkeypatch.setattr(limits, "SINK_RETRY_MS", 1)

    async def scenario(world: WebhookWorld) -> None:
        store: Any = UnknownOutcomes(world.store)
        world.term.lease_term = LocalLeaseTerm(store)
        dice = random.Random(10)
        for _ in range(60):
            if dice.random() < 0.4:
                store.unknown_left = dice.randrange(1, 4)
            while True:
                before = world.term.sync
                try:
                    await world.emit_events(dice.randrange(1, 4))
                except Unavailable:
                    assert world.term.sync is SyncState.INTAKE_UNKNOWN
                    continue
                assert before is not SyncState.INTAKE_UNKNOWN or world.term.sync is not before
                break
            await asyncio.sleep(dice.choice([0, 0, 0.002]))

    run_scenario(tmp_path / "sync.sqlite3", scenario)
    assert made - SYNC_TRANSITIONS == set()
    assert SYNC_TRANSITIONS - made == set()
