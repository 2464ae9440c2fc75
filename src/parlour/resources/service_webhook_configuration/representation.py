"""Representations of the webhook configuration of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.service_webhook_configuration.store import (
        ServiceWebhookConfiguration,
    )

_NAMES = msgspec.json.Decoder(list[str])


def resource(configuration: ServiceWebhookConfiguration, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    filters = configuration.filters
    service_url = f"{view.root_url}/Services/{configuration.service_sid}"
    return {
        "account_sid": configuration.account_sid,
        "chat_service_sid": configuration.service_sid,
        "pre_webhook_url": configuration.pre_webhook_url,
        "post_webhook_url": configuration.post_webhook_url,
        "filters": None if filters is None else _NAMES.decode(filters),
        "method": configuration.method,
        "url": f"{service_url}/Configuration/Webhooks",
    }
