"""Actions on delivery receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations.call import Rows
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.messages import actions as message_actions
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.messages import store as message_store
from parlour.resources.messages.store import ReceiptCounts
from parlour.resources.receipts import statuses as receipt_statuses
from parlour.vocabulary import event_names, sids
from parlour.vocabulary.dates import updated
from parlour.vocabulary.origin import SYSTEM

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.messages.receipt_store import Receipt
    from parlour.resources.receipts.statuses import StatusReport
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


async def fetch_receipt(tx: Transaction, call: Call[NoParameters]) -> Receipt:
    """Return one receipt. Raises 404 for one of another message, and before its first status."""
    conversation_sid = await conversation_actions.conversation_sid_in_path(tx, call)
    message = await message_actions.message_in_path(
        tx, call, conversation_sid, variable="MessageSid"
    )
    sid = call.path["Sid"]
    found = None
    if sids.is_sid(sids.RECEIPT, sid):
        found = await message_receipt_store.find_receipt(tx, call.scope, sids.normal(sid))
    if found is None or found.message_sid != message.sid or not found.is_visible:
        raise call.not_found()
    return found


async def list_receipts(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of a message's receipts, without those that have no status yet."""
    conversation_sid = await conversation_actions.conversation_sid_in_path(tx, call)
    message = await message_actions.message_in_path(
        tx, call, conversation_sid, variable="MessageSid"
    )
    return Rows(
        await message_receipt_store.list_receipts(tx, call.scope, message.sid, call.page_request)
    )


async def record_status(
    tx: Transaction, scope: Scope, receipt_sid: str, report: StatusReport
) -> bool:
    """Record a carrier's report and emit its event; return whether the status changed.

    A report that is late, repeated, or for a deleted receipt changes nothing.
    """
    if not await message_receipt_store.lock_conversation_of_receipt(tx, scope, receipt_sid):
        return False  # Deleted; its rows are purged in the background.
    before = await message_receipt_store.find_receipt(tx, scope, receipt_sid)
    if before is None or not receipt_statuses.may_follow(before.status, report.status):
        return False
    counted = await message_store.find_receipt_counts(tx, scope, before.message_sid)
    if counted is None:  # The conversation was deleted; its rows are purged later.
        return False
    message_index, counts = counted
    after = updated(
        before,
        tx.now,
        status=report.status,
        error_code=report.error_code,
        channel_message_sid=before.channel_message_sid or report.channel_message_sid,
    )
    counts = _moved(counts, before.status, report.status)
    await message_receipt_store.update_receipt_row(tx, scope, before, after)
    await message_store.update_receipt_counts(tx, scope, after.message_sid, counts)
    message = {
        "sid": after.message_sid,
        "message_index": message_index,
        **msgspec.structs.asdict(counts),
    }
    await tx.emit(
        scope,
        event_names.ON_DELIVERY_UPDATED,
        conversation_sid=after.conversation_sid,
        # Subscribers of the message see its summary change.
        subject_sid=after.message_sid,
        payload={"receipt": after, "message_sid": after.message_sid, "message": message},
        origin=SYSTEM,
    )
    return True


def _moved(counts: ReceiptCounts, status: str | None, reported: str) -> ReceiptCounts:
    """Return the counts of a message after a transition of one of its receipts."""

    def now(counted: str, number: int) -> int:
        return number + receipt_statuses.count_change(status, reported, counted)

    return ReceiptCounts(
        receipts_total=counts.receipts_total,
        receipts_sent=now(receipt_statuses.SENT, counts.receipts_sent),
        receipts_delivered=now(receipt_statuses.DELIVERED, counts.receipts_delivered),
        receipts_read=now(receipt_statuses.READ, counts.receipts_read),
        receipts_failed=now(receipt_statuses.FAILED, counts.receipts_failed),
        receipts_undelivered=now(receipt_statuses.UNDELIVERED, counts.receipts_undelivered),
    )
