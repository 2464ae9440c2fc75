"""The fan-out of a message: a receipt for every participant with an address, except the author.

Chat participants receive the message through its event. Each recipient outside the chat gets a
receipt in the transaction of the message, so that a crash loses neither; the event contains the
addresses of the recipients at the time of sending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.resources.messages import receipt_store as message_receipt_store
from parlour.resources.messages.receipt_store import Receipt
from parlour.resources.participants import store as participant_store
from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError

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


class ChannelRecipient(msgspec.Struct, frozen=True):
    """The address of one recipient; ``sender`` is None where the channel needs none."""

    receipt_sid: str
    participant_sid: str
    type: str
    address: str
    sender: str | None
    is_in_group: bool


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
    return Audience(author_participant, bound, recipients)


def require_known_group_author(found: Audience) -> None:
    """Raise 50513 if the author of a message to a group is not a participant."""
    if found.is_group and found.author is None:
        raise ApiError(50513)


async def create_receipts(
    tx: Transaction, scope: Scope, conversation: Conversation, message: Message, found: Audience
) -> list[ChannelRecipient]:
    """Insert the receipts of a new message; return the address of each recipient."""
    addressed = []
    for each in found.recipients:
        receipt = Receipt(
            account_sid=scope.account_sid,
            service_sid=scope.service_sid,
            conversation_sid=conversation.sid,
            message_sid=message.sid,
            sid=tx.new_sid(sids.RECEIPT),
            sequence=tx.next_sequence(),
            participant_sid=each.sid,
            channel_message_sid=None,
            status=None,
            error_code=0,
            date_created=tx.now,
            date_updated=tx.now,
        )
        await message_receipt_store.insert_receipt(tx, scope, receipt)
        assert each.address is not None
        assert each.binding_type is not None
        addressed.append(
            ChannelRecipient(
                receipt_sid=receipt.sid,
                participant_sid=each.sid,
                type=each.binding_type,
                address=each.address,
                sender=_sender(conversation, found, each),
                is_in_group=each.is_native,
            )
        )
    return addressed


def _sender(conversation: Conversation, found: Audience, recipient: Participant) -> str | None:
    """Return the recipient's proxy, the author's number in a group, or the e-mail sender."""
    if recipient.proxy_address is not None:
        return recipient.proxy_address
    if recipient.binding_type == "email":
        return conversation.email_address
    authors = [] if found.author is None else [found.author]
    for each in (*authors, *found.bound):
        if each.group_number is not None:
            return each.group_number
    return None
