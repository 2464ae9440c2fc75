"""Actions on participant conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import Rows
from parlour.resources.participant_conversations import store as participant_conversation_store
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.participant_conversations.parameters import (
        ListParticipantConversations,
    )
    from parlour.store.transaction import Transaction


async def list_participant_conversations(
    tx: Transaction, call: Call[ListParticipantConversations]
) -> Rows:
    """Return a page of the conversations of an identity or an address, in any state."""
    filters = call.parameters
    if isinstance(filters.identity, str) and isinstance(filters.address, str):
        raise ApiError(50451)
    if isinstance(filters.identity, str):
        found = await participant_conversation_store.list_participant_conversations_of_identity(
            tx, call.scope, filters.identity, call.page_request
        )
    elif isinstance(filters.address, str):
        found = await participant_conversation_store.list_participant_conversations_of_address(
            tx, call.scope, filters.address, call.page_request
        )
    else:
        raise ApiError(20001, "Missing required parameter Identity or Address in the query")
    return Rows(found, order="conversation_sid")
