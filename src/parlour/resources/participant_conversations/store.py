"""Rows of participant conversations: a participant, its conversation, and its user if any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import statement, window
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class ParticipantConversation(msgspec.Struct, frozen=True):
    """A conversation and one of its participants. Dates in milliseconds since 1970 UTC.

    ``sid`` is the participant's; so are the addresses and the fields with the prefix
    ``participant_``. All others are the conversation's.
    """

    account_sid: str
    service_sid: str
    conversation_sid: str
    sid: str
    friendly_name: str | None
    unique_name: str | None
    attributes: str
    state: str
    date_created: int
    date_updated: int
    date_inactive: int | None
    date_closed: int | None
    created_by: str
    participant_identity: str | None
    participant_user_sid: str | None
    binding_type: str | None
    address: str | None
    proxy_address: str | None
    projected_address: str | None
    binding_level: str | None
    binding_name: str | None


_ROWS = """
SELECT {columns} FROM (
    SELECT participant.account_sid AS account_sid,
           participant.service_sid AS service_sid,
           participant.conversation_sid AS conversation_sid,
           participant.sid AS sid,
           conversation.friendly_name AS friendly_name,
           conversation.unique_name AS unique_name,
           conversation.attributes AS attributes,
           conversation.state AS state,
           conversation.date_created AS date_created,
           conversation.date_updated AS date_updated,
           conversation.date_inactive AS date_inactive,
           conversation.date_closed AS date_closed,
           conversation.created_by AS created_by,
           participant.identity AS participant_identity,
           (SELECT chat_user.sid FROM chat_user
             WHERE chat_user.account_sid = participant.account_sid
               AND chat_user.service_sid = participant.service_sid
               AND chat_user.identity = participant.identity) AS participant_user_sid,
           participant.binding_type AS binding_type,
           participant.address AS address,
           participant.proxy_address AS proxy_address,
           participant.projected_address AS projected_address,
           participant.binding_level AS binding_level,
           participant.binding_name AS binding_name
      FROM participant
      JOIN conversation ON conversation.account_sid = participant.account_sid
                       AND conversation.sid = participant.conversation_sid
) AS found
 WHERE account_sid = $1 AND service_sid = $2
"""
LIST_OF_IDENTITY = window(
    statement(_ROWS, ParticipantConversation) + " AND participant_identity = $3",
    ParticipantConversation,
    order="conversation_sid",
    arguments=3,
)
LIST_OF_ADDRESS = window(
    statement(_ROWS, ParticipantConversation) + " AND address = $3",
    ParticipantConversation,
    order="conversation_sid",
    arguments=3,
)


async def list_participant_conversations_of_identity(
    tx: Transaction, scope: Scope, identity: str, request: PageRequest
) -> list[ParticipantConversation]:
    """Return the conversations of an identity, ordered by conversation sid."""
    rows = await read_window(
        tx, LIST_OF_IDENTITY, request, scope.account_sid, scope.service_sid, identity
    )
    return [ParticipantConversation(*row) for row in rows]


async def list_participant_conversations_of_address(
    tx: Transaction, scope: Scope, address: str, request: PageRequest
) -> list[ParticipantConversation]:
    """Return the conversations of an address, not as a proxy, ordered by conversation sid."""
    rows = await read_window(
        tx, LIST_OF_ADDRESS, request, scope.account_sid, scope.service_sid, address
    )
    return [ParticipantConversation(*row) for row in rows]
