"""Routes of user conversations; memberships are created through ``participants``.

None of these operations accepts the header that enables webhooks.
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
from parlour.resources.conversations import parameters as conversation_parameters
from parlour.resources.conversations import permits as conversation_permits
from parlour.resources.user_conversations import actions as user_conversation_actions
from parlour.resources.user_conversations import (
    client_conversations as user_conversation_client_conversations,
)
from parlour.resources.user_conversations import parameters as user_conversation_parameters
from parlour.resources.user_conversations import permits as user_conversation_permits
from parlour.resources.user_conversations import representation as user_conversation_representation

USER_CONVERSATIONS = Collection(
    noun="UserConversation",
    path="/Users/{UserSid}/Conversations",
    instance="{ConversationSid}",
    url_forms=SHORT_AND_SERVICE,
    represent=user_conversation_representation.resource,
    specs=(
        list_(
            user_conversation_actions.list_user_conversations,
            key="conversations",
            permits=user_conversation_permits.list_user_conversations,
        ),
        fetch(user_conversation_actions.fetch_user_conversation),
        update(
            user_conversation_actions.update_user_conversation,
            user_conversation_parameters.UpdateUserConversation,
            conflict_scope=user_conversation_actions.conflict_scope_of_update,
        ),
        delete(user_conversation_actions.delete_user_conversation),
    ),
)

CLIENT_CONVERSATIONS = Collection(
    noun="ClientConversation",
    service_noun="ClientConversation",
    path="/Conversations",
    url_forms=SERVICE_ONLY,
    represent=user_conversation_representation.resource,
    specs=(
        create(
            user_conversation_client_conversations.create_conversation,
            conversation_parameters.CreateConversation,
            pre_action="onConversationAdd",
            permits=conversation_permits.create_conversation,
        ),
        update(
            user_conversation_client_conversations.update_conversation,
            conversation_parameters.UpdateConversation,
            pre_action="onConversationUpdate",
            permits=conversation_permits.update_conversation,
        ),
    ),
    listed=False,
)
"""Conversations as clients create and update them."""

CLIENT_MEMBERSHIPS = Collection(
    noun="ClientPlace",
    service_noun="ClientPlace",
    path="/Users/{UserSid}/Conversations",
    instance="{ConversationSid}",
    url_forms=SERVICE_ONLY,
    represent=user_conversation_representation.resource,
    specs=(
        fetch(
            user_conversation_client_conversations.fetch_conversation,
            permits=user_conversation_permits.fetch_user_conversation,
        ),
        update(
            user_conversation_client_conversations.update_own_membership,
            user_conversation_parameters.UpdateUserConversation,
            pre_action="onParticipantUpdate",
            conflict_scope=user_conversation_actions.conflict_scope_of_update,
            permits=user_conversation_permits.update_user_conversation,
        ),
    ),
    listed=False,
)
"""A client user's membership of a conversation; the read horizon has a pre-action webhook."""
