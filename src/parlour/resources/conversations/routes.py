"""Routes of conversations."""

from __future__ import annotations

from parlour.operations.operation import (
    SHORT_AND_SERVICE,
    Collection,
    create,
    fetch,
    list_,
    recorded,
    update,
)
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.conversations import parameters as conversation_parameters
from parlour.resources.conversations import representation as conversation_representation
from parlour.vocabulary import limits

CONVERSATIONS = Collection(
    noun="Conversation",
    path="/Conversations",
    url_forms=SHORT_AND_SERVICE,
    represent=conversation_representation.resource,
    specs=(
        list_(
            conversation_actions.list_conversations,
            key="conversations",
            maximum=limits.PAGE_SIZE_MAX,
            parameters=conversation_parameters.ListConversations,
            shows_cursor=True,
        ),
        create(
            conversation_actions.create_conversation,
            conversation_parameters.CreateConversation,
            webhook_header=True,
            pre_action="onConversationAdd",
        ),
        recorded(fetch(conversation_actions.fetch_conversation)),
        update(
            conversation_actions.update_conversation,
            conversation_parameters.UpdateConversation,
            webhook_header=True,
            pre_action="onConversationUpdate",
        ),
    ),
)
