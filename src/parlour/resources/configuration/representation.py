"""Representations of the configuration of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.configuration.store import Configuration


def resource(configuration: Configuration, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    service_sid = configuration.default_chat_service_sid
    url = f"{view.root_url}/Configuration"
    return {
        "account_sid": configuration.account_sid,
        "default_chat_service_sid": service_sid,
        "default_messaging_service_sid": configuration.default_messaging_service_sid,
        "default_inactive_timer": configuration.default_inactive_timer,
        "default_closed_timer": configuration.default_closed_timer,
        "url": url,
        "links": {
            "service": f"{view.root_url}/Services/{service_sid}/Configuration",
            "webhooks": f"{url}/Webhooks",
        },
    }
