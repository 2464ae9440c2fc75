"""Routes of messages."""

from __future__ import annotations

from parlour.operations.operation import (
    SERVICE_ONLY,
    SHORT_AND_SERVICE,
    Collection,
    create,
    delete,
    fetch,
    list_,
    recorded,
    update,
)
from parlour.resources.channel_metadata import representation as channel_metadata_representation
from parlour.resources.messages import actions as message_actions
from parlour.resources.messages import parameters as message_parameters
from parlour.resources.messages import permits as message_permits
from parlour.resources.messages import representation as message_representation
from parlour.vocabulary import limits

MESSAGES = Collection(
    noun="ConversationMessage",
    path="/Conversations/{ConversationSid}/Messages",
    url_forms=SHORT_AND_SERVICE,
    represent=message_representation.resource,
    specs=(
        recorded(
            list_(
                message_actions.list_messages,
                key="messages",
                maximum=limits.PAGE_SIZE_MAX,
                parameters=message_parameters.ListMessages,
                shows_cursor=True,
            )
        ),
        create(
            message_actions.create_message,
            message_parameters.CreateMessage,
            webhook_header=True,
            pre_action="onMessageAdd",
            conflict_scope=message_actions.conflict_scope_of_create,
        ),
        recorded(fetch(message_actions.fetch_message)),
        update(
            message_actions.update_message,
            message_parameters.UpdateMessage,
            webhook_header=True,
            pre_action="onMessageUpdate",
            permits=message_permits.update_message,
        ),
        delete(
            message_actions.delete_message,
            webhook_header=True,
            pre_action="onMessageRemove",
            permits=message_permits.delete_message,
        ),
    ),
)
"""The messages of a conversation."""

CHANNEL_METADATA = Collection(
    noun="ConversationMessageChannelMetadata",
    path="/Conversations/{ConversationSid}/Messages/{MessageSid}/ChannelMetadata",
    instance=None,
    url_forms=SHORT_AND_SERVICE,
    represent=channel_metadata_representation.resource,
    specs=(
        recorded(
            fetch(
                message_actions.fetch_channel_metadata,
                permits=message_permits.fetch_channel_metadata,
            )
        ),
    ),
    listed=False,
)
"""The channel metadata that a message links to; only for inbound messages."""

CLIENT_MESSAGES = Collection(
    noun="ClientMessage",
    service_noun="ClientMessage",
    path="/Conversations/{ConversationSid}/Messages",
    url_forms=SERVICE_ONLY,
    represent=message_representation.resource,
    specs=(
        create(
            message_actions.create_message,
            message_parameters.SendMessage,
            pre_action="onMessageAdd",
            conflict_scope=message_actions.conflict_scope_of_create,
            permits=message_permits.create_message,
        ),
    ),
    listed=False,
)
"""Sending messages as a client."""
