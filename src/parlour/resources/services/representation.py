"""Representations of services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.services.store import Service


def resource(service: Service, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    url = f"{view.root_url}/Services/{service.sid}"
    return {
        "sid": service.sid,
        "account_sid": service.account_sid,
        "friendly_name": service.friendly_name,
        "date_created": format_date(service.date_created),
        "date_updated": format_date(service.date_updated),
        "url": url,
        "links": {
            "conversations": f"{url}/Conversations",
            "users": f"{url}/Users",
            "roles": f"{url}/Roles",
            "bindings": f"{url}/Bindings",
            "configuration": f"{url}/Configuration",
            "participant_conversations": f"{url}/ParticipantConversations",
            "conversation_with_participants": f"{url}/ConversationWithParticipants",
        },
    }
