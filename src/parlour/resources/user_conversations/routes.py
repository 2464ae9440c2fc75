"""User conversations: where they are and what can be done. Being in one is made elsewhere.

None of these operations takes the header that lets webhooks hear of a change.
"""

from __future__ import annotations

from parlour.operations.operation import (
    SERVICE_ONLY,
    SHORT_AND_SERVICE,
    Collection,
    create,
    delete,
    fetch,
    list_,
    update,
)
from parlour.resources.conversations import parameters as conversations
from parlour.resources.conversations import permits as conversation_permits
from parlour.resources.user_conversations import (
    actions,
    parameters,
    permits,
    representation,
    seen,
)

USER_CONVERSATIONS = Collection(
    noun="UserConversation",
    path="/Users/{UserSid}/Conversations",
    instance="{ConversationSid}",
    url_forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    specs=(
        list_(
            actions.list_user_conversations,
            key="conversations",
            permits=permits.list_user_conversations,
        ),
        fetch(actions.fetch_user_conversation),
        update(
            actions.update_user_conversation,
            parameters.UpdateUserConversation,
            conflict_scope=actions.conflict_scope_of_update,
        ),
        delete(actions.delete_user_conversation),
    ),
)

CONVERSATIONS_OF_CLIENTS = Collection(
    noun="ClientConversation",
    service_noun="ClientConversation",
    path="/Conversations",
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        create(
            seen.create_conversation,
            conversations.CreateConversation,
            pre_action="onConversationAdd",
            permits=conversation_permits.create_conversation,
        ),
        update(
            seen.update_conversation,
            conversations.UpdateConversation,
            pre_action="onConversationUpdate",
            permits=conversation_permits.update_conversation,
        ),
    ),
    listed=False,
)
"""Conversations as clients make and change them."""

PLACES_OF_CLIENTS = Collection(
    noun="ClientPlace",
    service_noun="ClientPlace",
    path="/Users/{UserSid}/Conversations",
    instance="{ConversationSid}",
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        fetch(seen.fetch_conversation, permits=permits.fetch_user_conversation),
        update(
            seen.update_own_place,
            parameters.UpdateUserConversation,
            pre_action="onParticipantUpdate",
            conflict_scope=actions.conflict_scope_of_update,
            permits=permits.update_user_conversation,
        ),
    ),
    listed=False,
)
"""The place of a client's user in one conversation; webhooks are asked about the read horizon."""
