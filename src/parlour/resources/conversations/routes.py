"""Conversations: where they are and what can be done."""

from __future__ import annotations

from parlour.operations.operation import (
    SHORT_AND_SERVICE,
    Collection,
    create,
    delete,
    fetch,
    list_,
    update,
)
from parlour.resources.conversations import actions, parameters, permits, representation
from parlour.vocabulary import limits

CONVERSATIONS = Collection(
    noun="Conversation",
    path="/Conversations",
    url_forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    specs=(
        list_(
            actions.list_conversations,
            key="conversations",
            maximum=limits.PAGE_SIZE_MAX,
            parameters=parameters.ListConversations,
        ),
        create(
            actions.create_conversation,
            parameters.CreateConversation,
            webhook_header=True,
            pre_action="onConversationAdd",
        ),
        fetch(actions.fetch_conversation),
        update(
            actions.update_conversation,
            parameters.UpdateConversation,
            webhook_header=True,
            pre_action="onConversationUpdate",
        ),
        delete(
            actions.delete_conversation,
            webhook_header=True,
            pre_action="onConversationRemove",
            permits=permits.delete_conversation,
        ),
    ),
)
