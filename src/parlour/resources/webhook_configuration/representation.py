"""Representations of the webhook configuration of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.webhook_configuration.store import WebhookConfiguration

_NAMES = msgspec.json.Decoder(list[str])


def resource(configuration: WebhookConfiguration, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    return {
        "account_sid": configuration.account_sid,
        "pre_webhook_url": configuration.pre_webhook_url,
        "post_webhook_url": configuration.post_webhook_url,
        "method": configuration.method,
        "filters": _NAMES.decode(configuration.filters),
        "target": configuration.target,
        "url": f"{view.root_url}/Configuration/Webhooks",
    }


def alias_resource(configuration: WebhookConfiguration, view: View) -> dict[str, Any]:
    """Return the REST resource at its old path, which is also its URL."""
    return resource(configuration, view) | {"url": f"{view.root_url}/Conversations/Webhooks"}
