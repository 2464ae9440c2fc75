"""Cleanup of the outbox, and its upgrade from a version that sent from the event log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.channels.carrier import Accepted
from parlour.operations import purge
from parlour.resources.messages.unsent_receipts import unsent_receipts_job
from parlour.resources.outbox import queue as outbox_queue
from parlour.resources.outbox.queue import outbox_retention_job
from parlour.store import migrations as store_migrations
from parlour.store.sqlite import engine as sqlite_engine
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemRandom
from tests.unit.channels.outbox_setup import (
    OWN,
    SCOPE,
    OutboxSetup,
    ScriptedCarrier,
    conversation_sid_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import pytest

    RunOutbox = Callable[[Callable[[OutboxSetup], Awaitable[None]]], None]

CONVERSATION_SID = conversation_sid_of(1)
PARTS = "SELECT provider_id FROM submission_part WHERE account_sid = $1"


async def parts(outbox: OutboxSetup) -> int:
    return len(await outbox.store.read(lambda tx: tx.all(PARTS, SCOPE.account_sid)))


def test_ended_submissions_are_deleted_after_the_retention_and_queued_ones_stay(
    run_outbox: RunOutbox,
) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", Accepted(("a", "b")))
        sid = await outbox.add_message(0, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "sent")
        await outbox.add_message(1, "+2")
        job = outbox_retention_job()
        due_ms = await outbox.store.read(job.next_due_ms)
        assert due_ms == outbox.clock.now_ms() + limits.SUBMISSION_RETENTION_MS + 1
        await job.run(outbox.store)
        assert (len(await outbox.submissions()), await parts(outbox)) == (2, 2)
        outbox.clock.advance(limits.SUBMISSION_RETENTION_MS + 1)
        await job.run(outbox.store)
        assert [each.state for each in await outbox.submissions()] == ["queued"]
        assert await parts(outbox) == 0
        assert await outbox.store.read(job.next_due_ms) is None

    run_outbox(scenario)


def test_submissions_below_a_deleted_conversation_are_purged(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        carrier = ScriptedCarrier()
        carrier.script("+1", Accepted(("a", "b")))
        sid = await outbox.add_message(0, "+1")
        async with outbox.running(virtual=carrier):
            await outbox.until_receipts(sid, "sent")
        await outbox.add_message(1, "+1")
        await outbox.add_message(0, "+9", conversation=2)
        await outbox.store.write(lambda tx: purge.enqueue_conversation(tx, SCOPE, CONVERSATION_SID))
        while await outbox.store.write(purge.purge_step):
            pass
        assert await parts(outbox) == 0
        found = await outbox.submissions()
        assert [each.conversation_sid for each in found] == [conversation_sid_of(2)]

    run_outbox(scenario)


def test_dates_of_retries_are_capped_after_the_clock_was_set_back(run_outbox: RunOutbox) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        outbox.clock.advance(10 * limits.CARRIER_RETRY_AFTER_MS_MAX)
        await outbox.add_message(0, "+1")
        past = FakeClock()
        outbox.clock._now_ms = past.now_ms()
        await outbox.store.write(outbox_queue.cap_due_dates)
        (row,) = await outbox.submissions()
        assert row.due_ms is not None
        assert row.due_ms <= past.now_ms() + 1000

    run_outbox(scenario)


def test_unsent_receipts_of_the_previous_version_become_submissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is made by the migrations of that version, and holds two unsent receipts."""
    every = store_migrations.migrations()
    previous = [each for each in every if each.name < "0013"]
    assert len(previous) == 12

    async def prepare() -> list[str]:
        monkeypatch.setattr(sqlite_engine, "migrations", lambda: previous)
        clock = FakeClock()
        store = SqliteStore(tmp_path / "parlour.sqlite3", clock, SystemRandom())
        try:
            return await store.write(lambda tx: _previous_rows(tx, clock.now_ms()))
        finally:
            await store.close()

    async def upgrade(sids: list[str]) -> None:
        monkeypatch.setattr(sqlite_engine, "migrations", lambda: every)
        outbox = OutboxSetup(tmp_path / "parlour.sqlite3")
        try:
            job = unsent_receipts_job()
            due_ms = await outbox.store.read(job.next_due_ms)
            assert due_ms is not None
            outbox.clock.advance(max(0, due_ms - outbox.clock.now_ms()))
            await job.run(outbox.store)
            assert await outbox.store.read(job.next_due_ms) is None
            found = {each.sid: each for each in await outbox.submissions()}
            assert set(found) == {f"SM{sid[2:]}" for sid in sids[:2]}
            carrier = ScriptedCarrier()
            async with outbox.running(virtual=carrier):
                await outbox.until_receipts("IM1", "sent", "failed", "delivered")
            (message,) = carrier.sent
            assert (message.sender, message.recipients, message.body) == (OWN, ("+1",), "Hello")
            # The second participant left in the meantime: its address is unknown.
            assert (await outbox.receipts("IM1"))["2"] == ("failed", 63007)
        finally:
            await outbox.store.close()

    asyncio.run(upgrade(asyncio.run(prepare())))


async def _previous_rows(tx: Any, now_ms: int) -> list[str]:
    """Insert a message with three receipts: two of them unsent."""
    key = {"account_sid": SCOPE.account_sid, "service_sid": SCOPE.service_sid}
    dates = {"date_created": now_ms, "date_updated": now_ms}
    await _insert(tx, "conversation", key | dates | {
        "sid": CONVERSATION_SID, "sequence": 1, "attributes": "{}", "state": "active",
        "created_by": "system", "next_message_index": 1, "removed_messages": 0,
        "created_order": 1, "last_activity": 1,
    })  # fmt: skip
    await _insert(tx, "participant", key | dates | {
        "conversation_sid": CONVERSATION_SID, "sid": "MB1", "sequence": 1, "attributes": "{}",
        "binding_type": "sms", "address": "+1", "proxy_address": OWN, "holds_pair": 1,
        "is_open": 1, "notification_level": "default",
    })  # fmt: skip
    counts = ("total", "sent", "delivered", "read", "failed", "undelivered")
    await _insert(tx, "message", key | dates | {
        "conversation_sid": CONVERSATION_SID, "sid": "IM1", "message_index": 0,
        "author": "system", "body": "Hello", "attributes": "{}", "source": "API",
    } | {f"receipts_{name}": int(name in {"total", "sent"}) for name in counts})  # fmt: skip
    sids = [f"DY{number:032x}" for number in (1, 2, 3)]
    for number, sid in enumerate(sids, 1):
        is_sent = number == 3
        await _insert(tx, "receipt", key | dates | {
            "conversation_sid": CONVERSATION_SID, "message_sid": "IM1", "sid": sid,
            "sequence": number, "participant_sid": f"MB{number}", "error_code": 0,
            "channel_message_sid": "SM9" if is_sent else None,
            "status": "delivered" if is_sent else None,
        })  # fmt: skip
    return sids


async def _insert(tx: Any, table: str, row: dict[str, Any]) -> None:
    names, places = ", ".join(row), ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await tx.run(f"INSERT INTO {table} ({names}) VALUES ({places})", *row.values())
