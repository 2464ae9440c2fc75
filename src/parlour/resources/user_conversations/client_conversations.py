"""Conversations from the perspective of a client's user: with counts and the user's membership.

This is the result of client commands on conversations. A creator who is not a participant sees the
conversation too, without a membership.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.participants import store as participant_store
from parlour.resources.user_conversations import actions as user_conversation_actions
from parlour.resources.user_conversations import store as user_conversation_store

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.conversations.parameters import CreateConversation, UpdateConversation
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.user_conversations.parameters import UpdateUserConversation
    from parlour.resources.user_conversations.store import UserConversation
    from parlour.store.transaction import Transaction


class ClientConversation(msgspec.Struct, frozen=True):
    """One conversation, and the caller's membership of it."""

    conversation: Conversation
    participants_count: int
    own: UserConversation | None

    @property
    def messages_count(self) -> int:
        """The number of messages that exist."""
        return self.conversation.next_message_index - self.conversation.removed_messages


async def _client_conversation(
    tx: Transaction, call: Call[Any], conversation: Conversation
) -> ClientConversation:
    identity = call.caller.identity
    assert identity is not None
    counts = await participant_store.count_participants(tx, call.scope, conversation.sid)
    own = await user_conversation_store.find_user_conversation(
        tx, call.scope, identity, conversation.sid
    )
    return ClientConversation(conversation, counts.total, own)


async def fetch_conversation(tx: Transaction, call: Call[NoParameters]) -> ClientConversation:
    """Return the conversation that the path names."""
    return await _client_conversation(
        tx, call, await conversation_actions.conversation_in_path(tx, call)
    )


async def create_conversation(
    tx: Transaction, call: Call[CreateConversation]
) -> ClientConversation:
    """Create a conversation without participants."""
    return await _client_conversation(
        tx, call, await conversation_actions.create_conversation(tx, call)
    )


async def update_conversation(
    tx: Transaction, call: Call[UpdateConversation]
) -> ClientConversation:
    """Update the conversation, and return it."""
    return await _client_conversation(
        tx, call, await conversation_actions.update_conversation(tx, call)
    )


async def update_own_membership(
    tx: Transaction, call: Call[UpdateUserConversation]
) -> ClientConversation:
    """Update the membership of the user, and return the conversation.

    Webhooks are sent for the read horizon, as for each change of a participant by a client.
    """
    await user_conversation_actions.update_membership(tx, call, tx.origin)
    return await _client_conversation(
        tx, call, await conversation_actions.conversation_in_path(tx, call)
    )
