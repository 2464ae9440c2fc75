"""Representations of participant conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date
from parlour.resources.conversations.representation import timers

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.participant_conversations.store import ParticipantConversation


def messaging_binding(found: ParticipantConversation) -> dict[str, str | None] | None:
    """Return all six members, also those that are null; None for a chat-only participant."""
    if found.binding_type is None:
        return None
    return {
        "address": found.address,
        "proxy_address": found.proxy_address,
        "type": found.binding_type,
        "level": found.binding_level,
        "name": found.binding_name,
        "projected_address": found.projected_address,
    }


def resource(found: ParticipantConversation, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    conversation_url = f"{view.base_url}/Conversations/{found.conversation_sid}"
    return {
        "account_sid": found.account_sid,
        "chat_service_sid": found.service_sid,
        "conversation_sid": found.conversation_sid,
        "participant_sid": found.sid,
        "conversation_friendly_name": found.friendly_name,
        "conversation_state": found.state,
        "conversation_timers": timers(found),
        "conversation_attributes": found.attributes,
        "conversation_date_created": format_date(found.date_created),
        "conversation_date_updated": format_date(found.date_updated),
        "conversation_created_by": found.created_by,
        "conversation_unique_name": found.unique_name,
        "participant_user_sid": found.participant_user_sid,
        "participant_identity": found.participant_identity,
        "participant_messaging_binding": messaging_binding(found),
        "links": {
            "participant": f"{conversation_url}/Participants/{found.sid}",
            "conversation": conversation_url,
        },
    }
