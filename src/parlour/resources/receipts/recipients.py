"""E-mail senders and recipients of messages, for clients only.

The list is paged by message, each with all of its e-mail recipients, so no separate cursor is
needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations.call import Rows
from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.messages import actions as message_actions
from parlour.resources.messages import store as message_store
from parlour.vocabulary import sids
from parlour.vocabulary.unset import UNSET, Unset

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.messages.store import Message
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

# For one page: at most 101 messages, with at most 50 recipients outside the chat each.
LIST_EMAIL_RECIPIENTS = """
SELECT message.message_index, 0 AS place, 'from', sender.binding_name, sender.address
  FROM message JOIN participant AS sender
    ON sender.account_sid = $1 AND sender.sid = message.participant_sid
   AND sender.binding_type = 'email'
 WHERE message.account_sid = $1 AND message.conversation_sid = $2
   AND message.message_index >= $3 AND message.message_index <= $4
 UNION ALL
SELECT message.message_index, receipt.sequence AS place, recipient.binding_level,
       recipient.binding_name, recipient.address
  FROM message JOIN receipt
    ON receipt.account_sid = $1 AND receipt.message_sid = message.sid
  JOIN participant AS recipient
    ON recipient.account_sid = $1 AND recipient.sid = receipt.participant_sid
   AND recipient.binding_type = 'email'
 WHERE message.account_sid = $1 AND message.conversation_sid = $2
   AND message.message_index >= $3 AND message.message_index <= $4
 ORDER BY 1, 2 LIMIT 6000
"""


class EmailRecipient(msgspec.Struct, frozen=True):
    """A sender or recipient of a message. ``level`` is from, to or cc."""

    level: str
    name: str | None
    address: str


class MessageRecipients(msgspec.Struct, frozen=True):
    """One message with its e-mail sender and recipients."""

    message_index: int
    message_sid: str
    recipients: list[EmailRecipient]


class ListRecipients(Parameters):
    """Filter of a list: one message, or the whole conversation."""

    message_sid: str | Unset = form_field("MessageSid", parsers.sid(sids.MESSAGE, 50501))


async def list_recipients(tx: Transaction, call: Call[ListRecipients]) -> Rows:
    """Return a page of messages with their recipients, in index order."""
    conversation_sid = await conversation_actions.conversation_sid_in_path(tx, call)
    message_sid = call.parameters.message_sid
    if message_sid is UNSET:
        found = await message_store.list_messages(
            tx, call.scope, conversation_sid, call.page_request, descending=False
        )
    else:
        one = await message_actions.message_in_conversation(tx, call, conversation_sid, message_sid)
        found = [one]
    rows = await _with_recipients(tx, call.scope, conversation_sid, found)
    return Rows(rows, order="message_index", sid="message_sid")


async def _with_recipients(
    tx: Transaction, scope: Scope, conversation_sid: str, found: list[Message]
) -> list[MessageRecipients]:
    by_index: dict[int, list[EmailRecipient]] = {each.message_index: [] for each in found}
    if found:
        index_range = min(by_index), max(by_index)
        for index, _, *columns in await tx.all(
            LIST_EMAIL_RECIPIENTS, scope.account_sid, conversation_sid, *index_range
        ):
            by_index[index].append(EmailRecipient(*columns))
    return [
        MessageRecipients(each.message_index, each.sid, by_index[each.message_index])
        for each in found
    ]
