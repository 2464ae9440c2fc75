"""Loads the delivery receipts of a message of a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.messages.receipt_store import Receipt
from parlour.resources.outbox import enqueue as outbox_enqueue
from parlour.resources.receipts import actions as receipt_actions
from parlour.resources.receipts.statuses import StatusReport
from parlour.testmode.seeds.errors import seed_error
from parlour.testmode.seeds.receipt_shorthand import EveryRecipient
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.resources.messages.store import Message
    from parlour.resources.participants.store import Participant
    from parlour.testmode.seeds.items import SeedItem
    from parlour.testmode.seeds.loading import Loading
    from parlour.vocabulary.scope import Scope


async def load_receipts(
    loading: Loading,
    scope: Scope,
    item: SeedItem,
    message: Message,
    participants: list[Participant],
) -> None:
    """Create the receipts of a message, each with its status."""
    done: set[str] = set()
    for each in item.items("receipts"):
        reference = each.values["participant"]
        if isinstance(reference, EveryRecipient):
            recipients = [
                participant
                for participant in participants
                if participant.address is not None
                and participant.sid != message.participant_sid
                and participant.sid not in done
            ]
        else:
            recipients = [participants[reference]]
        for recipient in recipients:
            _require_recipient(each, recipient, done)
            await _load_receipt(loading, scope, each, message, recipient)


def _require_recipient(item: SeedItem, recipient: Participant, done: set[str]) -> None:
    path = f"{item.path}.participant"
    if recipient.address is None:
        raise seed_error(path, "a participant without an address gets no receipt")
    if recipient.sid in done:
        raise seed_error(path, "the participant has two receipts for this message")
    done.add(recipient.sid)


async def _load_receipt(
    loading: Loading, scope: Scope, item: SeedItem, message: Message, recipient: Participant
) -> None:
    tx = loading.tx
    loading.begin(item, message.date_created)
    await loading.give_sid(item, sids.RECEIPT)
    assert recipient.binding_type is not None
    channel_sid = item.get("channel_message_sid")
    receipt = Receipt(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        conversation_sid=message.conversation_sid,
        message_sid=message.sid,
        sid=tx.new_sid(sids.RECEIPT),
        sequence=tx.next_sequence(),
        participant_sid=recipient.sid,
        channel_message_sid=channel_sid
        or outbox_enqueue.new_message_sid(tx, recipient.binding_type),
        status=None,
        error_code=0,
        date_created=tx.now,
        date_updated=tx.now,
    )
    await message_receipt_store.insert_receipt(tx, scope, receipt)
    report = StatusReport(item.values["status"], item.get("error_code", 0))
    await receipt_actions.record_status(tx, scope, receipt.sid, report)
    updated = item.date("date_updated", tx.load_ms)
    if updated is not None:
        before = await message_receipt_store.find_receipt(tx, scope, receipt.sid)
        assert before is not None
        after = msgspec.structs.replace(before, date_updated=updated)
        await message_receipt_store.update_receipt_row(tx, scope, before, after)
    loading.record(item, receipt.sid)
