"""The fan-out of a message: a receipt for every participant with an address, except the author.

Chat participants receive the message through its event. Each recipient outside the chat gets a
receipt, and is in a submission to a carrier, in the transaction of the message, so that a crash
loses none of them:

| recipient | submission | sender |
|---|---|---|
| a native member of a group of three numbers or more | one for all of them | the author's number |
| every other number, and other channels | one for each | the recipient's proxy |
| e-mail | one mail for all | the conversation's address |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.protocol import addresses
from parlour.resources.messages import channel_content as message_channel_content
from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.messages.receipt_store import Receipt
from parlour.resources.outbox import enqueue as outbox_enqueue
from parlour.resources.outbox.enqueue import SubmissionDraft
from parlour.resources.outbox.store import SubmissionRecipient
from parlour.resources.participants import groups as participant_groups
from parlour.resources.participants import store as participant_store
from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import API, SDK

if TYPE_CHECKING:
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.messages.store import Message
    from parlour.resources.participants.store import Participant
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

SYSTEM_AUTHOR: Final = "system"
"""The author of messages that are sent without one; never a participant."""

# Two participants with addresses exchange plain texts; three or more are a group.
_GROUP_MIN: Final = 3


class Audience(msgspec.Struct, frozen=True):
    """The author's participant, and the recipients of a message outside the chat."""

    author: Participant | None
    bound: list[Participant]
    recipients: list[Participant]

    @property
    def author_sid(self) -> str | None:
        """The sid of the author's participant, if it is one."""
        return None if self.author is None else self.author.sid

    @property
    def is_group(self) -> bool:
        """Whether the conversation is a group whose members see the numbers of all others.

        Members without a number of the account form one too; other authors have no sender yet.
        """
        if not any(each.is_group_form for each in self.bound):
            return False
        has_own = any(each.group_number is not None for each in self.bound)
        return len(self.bound) >= _GROUP_MIN or not has_own

    @property
    def thread(self) -> tuple[str, ...]:
        """The numbers of the group's thread on phones; empty if native members get plain texts."""
        numbers = participant_groups.group_numbers(self.bound)
        return tuple(sorted(numbers)) if len(numbers) >= _GROUP_MIN else ()


async def find_audience(
    tx: Transaction, scope: Scope, conversation_sid: str, author: str
) -> Audience:
    """Return the audience of a message of this author."""
    candidates = await participant_store.list_author_and_bound_participants(
        tx, scope, conversation_sid, author
    )
    author_participant = None
    if author != SYSTEM_AUTHOR:
        author_participant = participant_store.find_author(candidates, author)
    bound = [each for each in candidates if not each.is_chat]
    recipients = [
        each
        for each in bound
        if each.address is not None and each.address != author and each is not author_participant
    ]
    found = Audience(author_participant, bound, recipients)
    is_inbound = tx.origin.source not in {API, SDK}
    if is_inbound and author_participant is not None and author_participant.is_native:
        # The carrier has delivered it to all phones of the thread.
        in_thread = found.thread
        others = [each for each in recipients if not (in_thread and each.is_native)]
        found = msgspec.structs.replace(found, recipients=others)
    return found


def require_known_group_author(found: Audience) -> None:
    """Raise 50513 if the author of a message to a group is not a participant."""
    if found.is_group and found.author is None:
        raise ApiError(50513)


async def create_receipts(
    tx: Transaction, scope: Scope, conversation: Conversation, message: Message, found: Audience
) -> None:
    """Insert the receipts of a new message, and queue its submissions. The conversation is locked.

    Costs nothing without recipients outside the chat.
    """
    if not found.recipients:
        return
    thread = found.thread
    is_mms = message_channel_content.has_attachments(message)
    submissions: dict[str, list[tuple[Participant, SubmissionRecipient]]] = {}
    for each in found.recipients:
        assert each.address is not None
        assert each.binding_type is not None
        is_in_group = bool(thread) and each.is_native
        message_sid = outbox_enqueue.new_message_sid(
            tx,
            each.binding_type,
            is_mms=is_mms and each.binding_type == addresses.SMS and not is_in_group,
        )
        receipt = await _insert_receipt(tx, scope, message, each, message_sid)
        to = SubmissionRecipient(receipt.sid, each.sid, each.address, message_sid)
        lane = _lane(conversation, found, each, is_in_group=is_in_group)
        submissions.setdefault(lane, []).append((each, to))
    for lane, recipients in submissions.items():
        await _enqueue(tx, scope, (conversation, message, found), lane, recipients)


async def _insert_receipt(
    tx: Transaction, scope: Scope, message: Message, recipient: Participant, message_sid: str
) -> Receipt:
    receipt = Receipt(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        conversation_sid=message.conversation_sid,
        message_sid=message.sid,
        sid=tx.new_sid(sids.RECEIPT),
        sequence=tx.next_sequence(),
        participant_sid=recipient.sid,
        channel_message_sid=message_sid,
        status=None,
        error_code=0,
        date_created=tx.now,
        date_updated=tx.now,
    )
    await message_receipt_store.insert_receipt(tx, scope, receipt)
    return receipt


def _lane(
    conversation: Conversation, found: Audience, recipient: Participant, *, is_in_group: bool
) -> str:
    """Return the lane of a recipient: equal for all recipients of one submission."""
    assert recipient.binding_type is not None
    sender = sender_for(conversation, found, recipient)
    if is_in_group:
        return f"{sender} group {','.join(found.thread)}"
    # One mail for all recipients.
    address = "" if recipient.binding_type == addresses.EMAIL else recipient.address or ""
    return outbox_enqueue.lane_of(conversation.sid, recipient.binding_type, sender, address)


async def _enqueue(
    tx: Transaction,
    scope: Scope,
    sent: tuple[Conversation, Message, Audience],
    lane: str,
    recipients: list[tuple[Participant, SubmissionRecipient]],
) -> None:
    """Queue one submission of a message."""
    conversation, message, found = sent
    participants = [each for each, _ in recipients]
    first = participants[0]
    assert first.binding_type is not None
    is_group = bool(found.thread) and first.is_native
    content = await message_channel_content.build_channel_content(
        tx, scope, conversation, message, participants
    )
    if is_group:
        content = msgspec.structs.replace(content, group=found.thread)
    draft = SubmissionDraft(
        channel=first.binding_type,
        sender=sender_for(conversation, found, first),
        lane=lane,
        recipients=tuple(to for _, to in recipients),
        content=content,
        is_group=is_group,
    )
    await outbox_enqueue.enqueue_message(
        tx,
        scope,
        draft,
        conversation_sid=conversation.sid,
        message_sid=message.sid,
        message_index=message.message_index,
    )


def sender_for(conversation: Conversation, found: Audience, recipient: Participant) -> str | None:
    """Return the recipient's proxy, the author's number in a group, or the e-mail sender."""
    if recipient.proxy_address is not None:
        return recipient.proxy_address
    if recipient.binding_type == addresses.EMAIL:
        return conversation.email_address
    authors = [] if found.author is None else [found.author]
    for each in (*authors, *found.bound):
        if each.group_number is not None:
            return each.group_number
    return None
