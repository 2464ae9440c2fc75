"""Rows of user conversations: a participant, its conversation, and the number of unread messages.

Messages above the read horizon are unread, counted up to a limit. Indexes are never reused, so
without deleted messages the number is a difference of indexes; with them, it is between that
difference and the difference minus the deleted ones. Only if the limit is within that range are
messages counted, from the index of their key, and never more than the limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import statement, window
from parlour.store.windows import read_window
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class UserConversation(msgspec.Struct, frozen=True):
    """A conversation and the membership of one user. Dates in milliseconds since 1970 UTC.

    ``sid`` is the participant's, ``user_identity`` the user's; ``unread_messages_count`` is
    None until the read horizon has been set.
    """

    account_sid: str
    service_sid: str
    conversation_sid: str
    sid: str
    sequence: int
    user_identity: str
    user_sid: str
    notification_level: str
    last_read_message_index: int | None
    unread_messages_count: int | None
    friendly_name: str | None
    unique_name: str | None
    attributes: str
    state: str
    date_created: int
    date_updated: int
    date_inactive: int | None
    date_closed: int | None
    created_by: str


_ROWS = """
SELECT {columns} FROM (
    SELECT participant.account_sid AS account_sid,
           participant.service_sid AS service_sid,
           participant.conversation_sid AS conversation_sid,
           participant.sid AS sid,
           participant.sequence AS sequence,
           participant.identity AS user_identity,
           chat_user.sid AS user_sid,
           participant.notification_level AS notification_level,
           participant.last_read_message_index AS last_read_message_index,
           CASE WHEN participant.last_read_message_index IS NULL
                THEN NULL
                WHEN participant.last_read_message_index >= conversation.next_message_index - 1
                THEN 0
                WHEN conversation.next_message_index - 1 - participant.last_read_message_index
                     - conversation.removed_messages >= {unread_max}
                THEN {unread_max}
                WHEN conversation.removed_messages = 0
                THEN conversation.next_message_index - 1 - participant.last_read_message_index
                ELSE (SELECT COUNT(*) FROM (
                          SELECT message_index FROM message
                           WHERE message.account_sid = participant.account_sid
                             AND message.conversation_sid = participant.conversation_sid
                             AND message.message_index > participant.last_read_message_index
                           ORDER BY message_index LIMIT {unread_max}) AS unread)
           END AS unread_messages_count,
           conversation.friendly_name AS friendly_name,
           conversation.unique_name AS unique_name,
           conversation.attributes AS attributes,
           conversation.state AS state,
           conversation.date_created AS date_created,
           conversation.date_updated AS date_updated,
           conversation.date_inactive AS date_inactive,
           conversation.date_closed AS date_closed,
           conversation.created_by AS created_by
      FROM participant
      JOIN conversation ON conversation.account_sid = participant.account_sid
                       AND conversation.sid = participant.conversation_sid
      JOIN chat_user ON chat_user.account_sid = participant.account_sid
                    AND chat_user.service_sid = participant.service_sid
                    AND chat_user.identity = participant.identity
) AS found
 WHERE account_sid = $1 AND service_sid = $2 AND user_identity = $3
"""
_TEXT = statement(_ROWS, UserConversation, unread_max=str(limits.UNREAD_MESSAGES_MAX))
LIST = window(_TEXT, UserConversation, order="sequence", arguments=3)
FETCH = _TEXT + " AND conversation_sid = $4"


async def list_user_conversations(
    tx: Transaction, scope: Scope, identity: str, request: PageRequest
) -> list[UserConversation]:
    """Return the conversations of a user, in the order in which they were joined."""
    rows = await read_window(tx, LIST, request, scope.account_sid, scope.service_sid, identity)
    return [UserConversation(*row) for row in rows]


async def find_user_conversation(
    tx: Transaction, scope: Scope, identity: str, conversation_sid: str
) -> UserConversation | None:
    """Return one conversation of a user, if the user is in it."""
    row = await tx.one(FETCH, scope.account_sid, scope.service_sid, identity, conversation_sid)
    return UserConversation(*row) if row else None
