"""Messages: where they are and what can be done."""

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
from parlour.resources.messages import actions, parameters, permits, representation
from parlour.vocabulary import limits

MESSAGES = Collection(
    noun="ConversationMessage",
    path="/Conversations/{ConversationSid}/Messages",
    url_forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    specs=(
        list_(
            actions.list_messages,
            key="messages",
            maximum=limits.PAGE_SIZE_MAX,
            parameters=parameters.ListMessages,
        ),
        create(
            actions.create_message,
            parameters.CreateMessage,
            webhook_header=True,
            pre_action="onMessageAdd",
            conflict_scope=actions.conflict_scope_of_create,
        ),
        fetch(actions.fetch_message),
        update(
            actions.update_message,
            parameters.UpdateMessage,
            webhook_header=True,
            pre_action="onMessageUpdate",
            permits=permits.update_message,
        ),
        delete(
            actions.delete_message,
            webhook_header=True,
            pre_action="onMessageRemove",
            permits=permits.delete_message,
        ),
    ),
)
"""The messages of a conversation."""

CHANNEL_METADATA = Collection(
    noun="ConversationMessageChannelMetadata",
    path="/Conversations/{ConversationSid}/Messages/{MessageSid}/ChannelMetadata",
    instance=None,
    url_forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    specs=(fetch(actions.fetch_channel_metadata, permits=permits.read_channel_metadata),),
    listed=False,
)
"""What a message links to; no message has any."""

MESSAGES_OF_CLIENTS = Collection(
    noun="ClientMessage",
    service_noun="ClientMessage",
    path="/Conversations/{ConversationSid}/Messages",
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        create(
            actions.create_message,
            parameters.SendMessage,
            pre_action="onMessageAdd",
            conflict_scope=actions.conflict_scope_of_create,
            permits=permits.create_message,
        ),
    ),
    listed=False,
)
"""What clients send."""
