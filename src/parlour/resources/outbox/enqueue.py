"""Queue submissions in the transaction of their message, or of an automatic answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.protocol import addresses
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.resources.outbox import store as outbox_store
from parlour.resources.outbox.store import (
    Submission,
    SubmissionContent,
    SubmissionRecipient,
    SubmissionState,
)
from parlour.vocabulary import limits, sids
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction


class SubmissionDraft(msgspec.Struct, frozen=True):
    """One submission of a message; its SID is the channel message SID of its first recipient.

    Submissions of one ``lane`` are sent one after the other, in the order of their messages, also
    if they are of several conversations of the account.
    """

    channel: str
    sender: str | None
    lane: str
    recipients: tuple[SubmissionRecipient, ...]
    content: SubmissionContent
    is_group: bool = False


def lane_of(conversation_sid: str, channel: str, sender: str | None, address: str) -> str:
    """Return the lane of a binding: its messages stay in order when its conversation changes.

    Mails are in order within their thread, as one mailbox may be in several open conversations.
    """
    if sender is None or channel == addresses.EMAIL:
        return f"{conversation_sid} {channel} {address}"
    return f"{sender} {address}"


def new_message_sid(tx: Transaction, channel: str, *, is_mms: bool = False) -> str:
    """Return a new channel message SID, with the prefix of its channel."""
    if channel == addresses.WHATSAPP:
        return tx.new_sid(sids.WHATSAPP_MESSAGE)
    return tx.new_sid(sids.MMS if is_mms else sids.SMS)


# tidy: event-for-change - clients see receipts, whose events carry each status
async def enqueue_message(
    tx: Transaction,
    scope: Scope,
    draft: SubmissionDraft,
    *,
    conversation_sid: str,
    message_sid: str,
    message_index: int,
) -> None:
    """Queue one submission of a message. The conversation is locked."""
    made = await _submission(tx, scope, draft)
    await outbox_store.insert_submission(
        tx,
        msgspec.structs.replace(
            made,
            conversation_sid=conversation_sid,
            message_sid=message_sid,
            lane_order=message_index,
        ),
    )


# tidy: event-for-change - no client sees automatic answers
async def enqueue_reply(
    tx: Transaction, account_sid: str, channel: str, sender: str, recipient: str, body: str
) -> str:
    """Queue an automatic answer, which has no receipt; return its channel message SID.

    No policy applies to it: the confirmation of an opt-out is sent to its writer.
    """
    sid = new_message_sid(tx, channel)
    to = SubmissionRecipient(None, None, recipient, sid)
    content = SubmissionContent(body=body)
    made = await _submission(
        tx, Scope(account_sid), SubmissionDraft(channel, sender, sid, (to,), content)
    )
    await outbox_store.insert_submission(tx, made)
    return sid


async def _submission(tx: Transaction, scope: Scope, draft: SubmissionDraft) -> Submission:
    carrier = None
    if draft.recipients[0].address:  # Empty for a recipient of the previous version who left.
        carrier = await carrier_number_store.find_carrier(tx, draft.channel, draft.sender)
    return Submission(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        conversation_sid="",
        message_sid="",
        sid=draft.recipients[0].message_sid,
        carrier=carrier or "",
        channel=draft.channel,
        sender=draft.sender,
        lane=draft.lane,
        lane_order=0,
        is_group=int(draft.is_group),
        recipients=outbox_store.encode(draft.recipients).decode(),
        content=outbox_store.encode(draft.content).decode(),
        state=SubmissionState.QUEUED,
        attempts=0,
        due_ms=tx.now,
        expires_ms=tx.now + limits.SUBMISSION_MS_MAX,
        last_error=None,
        date_created=tx.now,
        date_ended=None,
    )
