"""Receipts: reports move their status, and the message counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations.store import Conversation
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.messages import store as message_store
from parlour.resources.messages.receipt_store import Receipt
from parlour.resources.messages.representation import delivery
from parlour.resources.messages.store import Message
from parlour.resources.receipts import actions as receipt_actions
from parlour.resources.receipts.statuses import StatusReport
from parlour.store import event_log
from parlour.vocabulary import event_names
from tests.events.event_log_setup import (
    SCOPE,
    EventLogSetup,
    ScenarioRunner,
    scenario_runner,
)

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction

CONVERSATION_SID = "CH" + "0" * 31 + "1"
SUMMARY = ("sent", "delivered", "read", "failed", "undelivered")


@pytest.fixture
def run_scenario(tmp_path: Path) -> ScenarioRunner:
    """Return a function that runs a scenario on a separate store."""
    return scenario_runner(tmp_path, _make_conversation)


async def _make_conversation(tx: Transaction) -> None:
    texts = dict.fromkeys(("state", "attributes", "created_by"), "")
    made = {name: texts.get(name) for name in Conversation.__struct_fields__}
    made |= {name: 0 for name, kind in Conversation.__annotations__.items() if kind == "int"}
    made |= {"account_sid": SCOPE.account_sid, "service_sid": SCOPE.service_sid}
    await conversation_store.insert_conversation(
        tx, SCOPE, Conversation(**{**made, "sid": CONVERSATION_SID})
    )


async def write_message(log: EventLogSetup, index: int, *addresses: str) -> tuple[str, list[str]]:
    """Write a message to some addresses, as its action does; return its sid and its receipts'."""

    async def work(tx: Transaction) -> tuple[str, list[str]]:
        made: dict[str, Any] = dict.fromkeys(Message.__struct_fields__)
        made |= {name: 0 for name in made if name.startswith(("receipts_", "date_"))}
        made |= {
            "account_sid": SCOPE.account_sid,
            "service_sid": SCOPE.service_sid,
            "conversation_sid": CONVERSATION_SID,
            "sid": tx.new_sid("IM"),
            "message_index": index,
            "author": "system",
            "attributes": "{}",
            "body": f"message {index}",
            "source": "API",
            "receipts_total": len(addresses),
        }
        message = Message(**made)
        await message_store.insert_message(tx, SCOPE, message)
        sids = [await _receipt(tx, message.sid) for _ in addresses]
        await tx.emit(
            SCOPE,
            event_names.ON_MESSAGE_ADDED,
            conversation_sid=CONVERSATION_SID,
            subject_sid=message.sid,
            payload={"message": message, "recipients": []},
        )
        return message.sid, sids

    return await log.store.write(work)


async def _receipt(tx: Transaction, message_sid: str) -> str:
    receipt = Receipt(
        account_sid=SCOPE.account_sid,
        service_sid=SCOPE.service_sid,
        conversation_sid=CONVERSATION_SID,
        message_sid=message_sid,
        sid=tx.new_sid("DY"),
        sequence=tx.next_sequence(),
        participant_sid="MB" + "0" * 32,
        channel_message_sid=None,
        status=None,
        error_code=0,
        date_created=0,
        date_updated=0,
    )
    await message_receipt_store.insert_receipt(tx, SCOPE, receipt)
    return receipt.sid


async def record(log: EventLogSetup, sid: str, *reports: StatusReport) -> list[bool]:
    """Return whether each report changed anything."""

    async def work(tx: Transaction) -> list[bool]:
        return [await receipt_actions.record_status(tx, SCOPE, sid, report) for report in reports]

    return await log.store.write(work)


async def receipt(log: EventLogSetup, sid: str) -> Receipt:
    found = await log.store.read(lambda tx: message_receipt_store.find_receipt(tx, SCOPE, sid))
    assert found is not None
    return found


async def summary(log: EventLogSetup, message_sid: str) -> str:
    """Return the members of a message's delivery summary that are not "none"."""
    found = await log.store.read(
        lambda tx: message_store.find_message(tx, SCOPE, CONVERSATION_SID, message_sid)
    )
    assert found is not None
    shown = delivery(found)
    assert shown is not None
    return " ".join(f"{name}:{shown[name]}" for name in SUMMARY if shown[name] != "none")


async def published_statuses(log: EventLogSetup) -> list[str]:
    """Return the published statuses of the receipts."""
    found = await log.store.read(lambda tx: event_log.read_after(tx, 0, 1000))
    return [each.payload for each in found if each.name == event_names.ON_DELIVERY_UPDATED]


# --- The moves of a receipt

MOVES = [
    ("sent", "sent", "sent:all"),
    ("sent delivered", "delivered", "sent:all delivered:all"),
    ("sent delivered read", "read", "sent:all delivered:all read:all"),
    ("sent read", "read", "sent:all delivered:all read:all"),
    ("delivered", "delivered", "sent:all delivered:all"),
    ("failed", "failed", "failed:all"),
    ("sent undelivered", "undelivered", "sent:all undelivered:all"),
    ("sent undelivered delivered", "delivered", "sent:all delivered:all"),
]
IGNORED = [
    ("sent", "sent"),
    ("sent", "failed"),
    ("sent delivered", "sent"),
    ("sent delivered", "undelivered"),
    ("sent delivered", "failed"),
    ("sent delivered read", "delivered"),
    ("sent delivered read", "undelivered"),
    ("sent undelivered", "sent"),
    ("sent undelivered", "undelivered"),
    ("failed", "sent"),
    ("failed", "delivered"),
    ("failed", "failed"),
]


@pytest.mark.channel("8.1", "C33", "C35")
@pytest.mark.parametrize(("steps", "status", "shown"), MOVES)
def test_a_receipt_moves_and_its_message_counts_it(
    run_scenario: ScenarioRunner, steps: str, status: str, shown: str
) -> None:
    async def scenario(log: EventLogSetup) -> None:
        message_sid, (sid, _) = await write_message(log, 0, "+1", "+2")
        reports = [StatusReport(each) for each in steps.split()]
        assert await record(log, sid, *reports) == [True] * len(reports)
        assert (await receipt(log, sid)).status == status
        assert await summary(log, message_sid) == shown.replace("all", "some")
        assert len(await published_statuses(log)) == len(reports)

    run_scenario(scenario)


@pytest.mark.channel("8.1", "C33")
@pytest.mark.parametrize(("steps", "late"), IGNORED)
def test_a_late_or_repeated_report_changes_nothing(
    run_scenario: ScenarioRunner, steps: str, late: str
) -> None:
    async def scenario(log: EventLogSetup) -> None:
        message_sid, (sid,) = await write_message(log, 0, "+1")
        await record(log, sid, *(StatusReport(each) for each in steps.split()))
        before = (
            await receipt(log, sid),
            await summary(log, message_sid),
            await published_statuses(log),
        )
        log.clock.advance(1000)
        assert await record(log, sid, StatusReport(late, error_code=30008)) == [False]
        after = (
            await receipt(log, sid),
            await summary(log, message_sid),
            await published_statuses(log),
        )
        assert after == before

    run_scenario(scenario)


@pytest.mark.channel("C35")
def test_delivery_summaries_distinguish_none_some_and_all(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        message_sid, sids = await write_message(log, 0, "+1", "+2", "+3")
        assert await summary(log, message_sid) == ""
        for sid in sids[:2]:
            await record(log, sid, StatusReport("sent"))
        await record(log, sids[2], StatusReport("failed", error_code=21610))
        assert await summary(log, message_sid) == "sent:some failed:some"
        await record(log, sids[0], StatusReport("delivered"))
        await record(log, sids[1], StatusReport("undelivered", error_code=30003))
        expected = "sent:some delivered:some failed:some undelivered:some"
        assert await summary(log, message_sid) == expected

    run_scenario(scenario)


def test_an_error_is_stored_until_it_is_cleared(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        _, (sid,) = await write_message(log, 0, "+1")
        await record(log, sid, StatusReport("sent", channel_message_sid="SM1"))
        log.clock.advance(1000)
        await record(log, sid, StatusReport("undelivered", error_code=30003))
        found = await receipt(log, sid)
        assert (found.error_code, found.channel_message_sid) == (30003, "SM1")
        assert found.date_updated == log.clock.now_ms()
        await record(log, sid, StatusReport("delivered", channel_message_sid="SM2"))
        found = await receipt(log, sid)
        assert (found.error_code, found.channel_message_sid) == (0, "SM1")

    run_scenario(scenario)


def test_a_report_of_a_deleted_message_changes_nothing(run_scenario: ScenarioRunner) -> None:
    async def scenario(log: EventLogSetup) -> None:
        _, (sid,) = await write_message(log, 0, "+1")
        assert await record(log, "DY" + "0" * 32, StatusReport("sent")) == [False]
        await log.store.write(
            lambda tx: conversation_store.delete_conversation_row(tx, SCOPE, CONVERSATION_SID)
        )
        assert await record(log, sid, StatusReport("sent")) == [False]
        assert (await receipt(log, sid)).status is None

    run_scenario(scenario)
