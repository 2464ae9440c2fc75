"""Representations of the configuration of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.service_configuration.store import ServiceConfiguration


def resource(configuration: ServiceConfiguration, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    url = f"{view.root_url}/Services/{configuration.service_sid}/Configuration"
    return {
        "chat_service_sid": configuration.service_sid,
        "default_conversation_creator_role_sid": (
            configuration.default_conversation_creator_role_sid
        ),
        "default_conversation_role_sid": configuration.default_conversation_role_sid,
        "default_chat_service_role_sid": configuration.default_chat_service_role_sid,
        "reachability_enabled": bool(configuration.reachability_enabled),
        "url": url,
        "links": {
            "notifications": f"{url}/Notifications",
            "webhooks": f"{url}/Webhooks",
        },
    }
