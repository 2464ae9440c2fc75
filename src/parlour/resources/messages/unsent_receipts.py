"""Messages that the previous version has not sent: their receipts become submissions.

That version sent from the event log, and gave a receipt its channel message SID only when the
carrier accepted the message. While both versions serve one database, it may still write such
receipts, so the job looks for them as long as the server runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.scheduler import Job, transactional
from parlour.resources.conversations import store as conversation_store
from parlour.resources.messages import channel_content as message_channel_content
from parlour.resources.messages import fan_out as message_fan_out
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.messages import store as message_store
from parlour.resources.messages.receipt_store import Receipt
from parlour.resources.outbox import enqueue as outbox_enqueue
from parlour.resources.outbox.enqueue import SubmissionDraft
from parlour.resources.outbox.store import SubmissionContent, SubmissionRecipient
from parlour.resources.participants import store as participant_store
from parlour.store.statements import statement
from parlour.vocabulary import limits, sids
from parlour.vocabulary.dates import updated
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.messages.store import Message
    from parlour.store.transaction import Transaction

# tidy: account-in-sql - the job serves all accounts
NEXT_UNSENT = """
SELECT date_created FROM receipt WHERE status IS NULL AND channel_message_sid IS NULL LIMIT 1
"""
LIST_UNSENT = statement(
    # tidy: account-in-sql - as above
    "SELECT {columns} FROM receipt WHERE status IS NULL AND channel_message_sid IS NULL"
    " ORDER BY account_sid, sid LIMIT $1",
    Receipt,
)


def unsent_receipts_job() -> Job:
    """Return the job that queues the messages of such receipts."""
    return Job("unsent_receipts", _next_due_ms, transactional(_queue_some))


async def _next_due_ms(tx: Transaction) -> int | None:
    row = await tx.one(NEXT_UNSENT)
    # The previous version records its results within moments, if it is still running.
    return None if row is None else int(row[0]) + limits.UNSENT_RECEIPT_MS_MIN


async def _queue_some(tx: Transaction) -> None:
    rows = await tx.all(LIST_UNSENT, limits.UNSENT_RECEIPTS_PER_STEP_MAX)
    for receipt in (Receipt(*row) for row in rows):
        if receipt.date_created + limits.UNSENT_RECEIPT_MS_MIN <= tx.now:
            await _queue(tx, receipt)


# tidy: event-for-change - clients see a receipt from its first status on
async def _queue(tx: Transaction, receipt: Receipt) -> None:
    """Queue the message of a receipt; without its message or conversation, delete the receipt."""
    scope = Scope(receipt.account_sid, receipt.service_sid)
    conversation = await conversation_store.find_conversation(tx, scope, receipt.conversation_sid)
    found = await message_receipt_store.find_receipt(tx, scope, receipt.sid)
    if found is None or found.status is not None:
        return
    message = None
    if conversation is not None:
        message = await message_store.find_message(tx, scope, conversation.sid, receipt.message_sid)
    if conversation is None or message is None:
        await message_receipt_store.delete_receipt(tx, scope, receipt.sid)
        return
    message_sid = sids.SMS + receipt.sid[2:]
    draft = await _draft(tx, scope, conversation, message, receipt, message_sid)
    await message_receipt_store.update_receipt_row(
        tx, scope, found, updated(found, tx.now, channel_message_sid=message_sid)
    )
    await outbox_enqueue.enqueue_message(
        tx,
        scope,
        draft,
        conversation_sid=conversation.sid,
        message_sid=message.sid,
        message_index=message.message_index,
    )


async def _draft(
    tx: Transaction,
    scope: Scope,
    conversation: Conversation,
    message: Message,
    receipt: Receipt,
    message_sid: str,
) -> SubmissionDraft:
    """Return the submission of a receipt. A participant that left since then has no carrier."""
    participant = await participant_store.find_participant(
        tx, scope, conversation.sid, receipt.participant_sid
    )
    if participant is None or participant.address is None or participant.binding_type is None:
        to = SubmissionRecipient(receipt.sid, receipt.participant_sid, "", message_sid)
        return SubmissionDraft("", None, receipt.sid, (to,), SubmissionContent(body=message.body))
    found = await message_fan_out.find_audience(tx, scope, conversation.sid, message.author)
    sender = message_fan_out.sender_for(conversation, found, participant)
    to = SubmissionRecipient(receipt.sid, participant.sid, participant.address, message_sid)
    content = await message_channel_content.build_channel_content(
        tx, scope, conversation, message, [participant]
    )
    lane = outbox_enqueue.lane_of(
        conversation.sid, participant.binding_type, sender, participant.address
    )
    return SubmissionDraft(participant.binding_type, sender, lane, (to,), content)
