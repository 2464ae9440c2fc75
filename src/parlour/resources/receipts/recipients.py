"""Who sent or got a message by e-mail: only clients ask for that.

A page is a page of messages, each with everybody who has to do with it by e-mail, so that a list
needs no position of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
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

# Of one page: at most 101 messages, each to at most 50 people outside the chat.
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
    """Somebody a message came from or went to. ``level`` is from, to or cc."""

    level: str
    name: str | None
    address: str


class MessageRecipients(msgspec.Struct, frozen=True):
    """One message, and who has to do with it by e-mail."""

    message_index: int
    message_sid: str
    recipients: list[EmailRecipient]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRecipients(Parameters):
    """Of one message, or of a whole conversation."""

    message_sid: str | Unset = form_field("MessageSid", parsers.sid(sids.MESSAGE, 50501))


async def list_recipients(tx: Transaction, call: Call[ListRecipients]) -> Rows:
    """Return a page of messages with their recipients, by index."""
    conversation_sid = await conversation_actions.conversation_sid_in_path(tx, call)
    wanted = call.parameters.message_sid
    if wanted is UNSET:
        found = await message_store.list_messages(
            tx, call.scope, conversation_sid, call.page_request, descending=False
        )
    else:
        one = await message_actions.message_in_conversation(tx, call, conversation_sid, wanted)
        found = [one]
    rows = await _with_recipients(tx, call.scope, conversation_sid, found)
    return Rows(rows, order="message_index", sid="message_sid")


async def _with_recipients(
    tx: Transaction, scope: Scope, conversation_sid: str, found: list[Message]
) -> list[MessageRecipients]:
    people: dict[int, list[EmailRecipient]] = {each.message_index: [] for each in found}
    if found:
        span = min(people), max(people)
        for index, _, *person in await tx.all(
            LIST_EMAIL_RECIPIENTS, scope.account_sid, conversation_sid, *span
        ):
            people[index].append(EmailRecipient(*person))
    return [
        MessageRecipients(each.message_index, each.sid, people[each.message_index])
        for each in found
    ]
