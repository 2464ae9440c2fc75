"""A conversation as one of its people sees it: with its counts, and with the own place in it.

That is what clients are answered about conversations. A creator who takes no part in its
conversation sees it too, without a place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.resources.conversations import actions as conversations
from parlour.resources.participants import store as participants
from parlour.resources.user_conversations import actions, store

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.conversations.parameters import CreateConversation, UpdateConversation
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.user_conversations.parameters import UpdateUserConversation
    from parlour.resources.user_conversations.store import UserConversation
    from parlour.store.transaction import Transaction


class Seen(msgspec.Struct, frozen=True):
    """One conversation, and the place in it of whoever asked."""

    conversation: Conversation
    participants_count: int
    own: UserConversation | None

    @property
    def messages_count(self) -> int:
        """How many messages there are."""
        return self.conversation.next_message_index - self.conversation.removed_messages


async def _seen(tx: Transaction, call: Call[Any], conversation: Conversation) -> Seen:
    identity = call.caller.identity
    assert identity is not None
    counts = await participants.counts(tx, call.scope, conversation.sid)
    own = await store.find(tx, call.scope, identity, conversation.sid)
    return Seen(conversation, counts.total, own)


async def fetch_conversation(tx: Transaction, call: Call[NoParameters]) -> Seen:
    """One conversation."""
    return await _seen(tx, call, await conversations.in_path(tx, call))


async def create_conversation(tx: Transaction, call: Call[CreateConversation]) -> Seen:
    """A new conversation, in which nobody takes part yet."""
    return await _seen(tx, call, await conversations.create_conversation(tx, call))


async def update_conversation(tx: Transaction, call: Call[UpdateConversation]) -> Seen:
    """The conversation after a change."""
    return await _seen(tx, call, await conversations.update_conversation(tx, call))


async def update_own_place(tx: Transaction, call: Call[UpdateUserConversation]) -> Seen:
    """The conversation after a change of what only the user has in it.

    Webhooks hear of the read horizon, as of any change of a participant by a client.
    """
    await actions.change_place(tx, call, tx.origin)
    return await _seen(tx, call, await conversations.in_path(tx, call))
