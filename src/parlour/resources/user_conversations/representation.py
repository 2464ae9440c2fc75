"""Representations of user conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date
from parlour.resources.conversations import representation as conversation_representation
from parlour.resources.conversations.representation import timers

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.user_conversations.client_conversations import ClientConversation
    from parlour.resources.user_conversations.store import UserConversation


def resource(found: UserConversation, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order; names and dates of the conversation."""
    conversation_url = f"{view.base_url}/Conversations/{found.conversation_sid}"
    return {
        "account_sid": found.account_sid,
        "chat_service_sid": found.service_sid,
        "conversation_sid": found.conversation_sid,
        "unread_messages_count": found.unread_messages_count,
        "last_read_message_index": found.last_read_message_index,
        "participant_sid": found.sid,
        "user_sid": found.user_sid,
        "friendly_name": found.friendly_name,
        "conversation_state": found.state,
        "timers": timers(found),
        "attributes": found.attributes,
        "date_created": format_date(found.date_created),
        "date_updated": format_date(found.date_updated),
        "created_by": found.created_by,
        "notification_level": found.notification_level,
        "unique_name": found.unique_name,
        "url": (f"{view.base_url}/Users/{found.user_sid}/Conversations/{found.conversation_sid}"),
        "links": {
            "participant": f"{conversation_url}/Participants/{found.sid}",
            "conversation": conversation_url,
        },
    }


def client_resource(found: UserConversation) -> dict[str, Any]:
    """Return the entry of a conversation in a list of the client's user."""
    return conversation_representation.client_resource(
        found, found.conversation_sid
    ) | _membership_fields(found)


def client_conversation(found: ClientConversation) -> dict[str, Any]:
    """Return what clients see of a single conversation, with its counts."""
    shown = conversation_representation.client_resource(found.conversation, found.conversation.sid)
    shown |= {
        "participants_count": found.participants_count,
        "messages_count": found.messages_count,
    }
    return shown | _membership_fields(found.own)


def _membership_fields(own: UserConversation | None) -> dict[str, Any]:
    if own is None:
        return {"status": "notParticipating"}
    return {
        "status": "joined",
        "last_read_message_index": own.last_read_message_index,
        "unread_messages_count": own.unread_messages_count,
        "notification_level": own.notification_level,
    }
