"""The operation that deletes a conversation; the others are in ``conversations``."""

from __future__ import annotations

from parlour.operations.operation import SHORT_AND_SERVICE, Collection, delete
from parlour.resources.conversation_removal import actions as conversation_removal_actions
from parlour.resources.conversations import permits as conversation_permits
from parlour.resources.conversations import representation as conversation_representation

CONVERSATION_REMOVAL = Collection(
    noun="Conversation",
    path="/Conversations",
    url_forms=SHORT_AND_SERVICE,
    represent=conversation_representation.resource,
    specs=(
        delete(
            conversation_removal_actions.delete_conversation,
            webhook_header=True,
            pre_action="onConversationRemove",
            permits=conversation_permits.delete_conversation,
        ),
    ),
)
