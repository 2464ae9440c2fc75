"""Actions on the webhook configuration of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.changes import settings_saver
from parlour.resources.service_webhook_configuration import (
    store as service_webhook_configuration_store,
)
from parlour.resources.service_webhook_configuration.store import ServiceWebhookConfiguration
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.webhook_configuration.parameters import UpdateWebhooks
    from parlour.store.transaction import Transaction


_save = settings_saver(
    ServiceWebhookConfiguration,
    event_names.SERVICE_CHANGED,
    "service_webhook_configuration",
    service_webhook_configuration_store.save_service_webhook_configuration,
)


async def fetch_service_webhook_configuration(
    tx: Transaction, call: Call[NoParameters]
) -> ServiceWebhookConfiguration:
    """Return the service's webhook configuration."""
    return await service_webhook_configuration_store.get_service_webhook_configuration(
        tx, call.scope
    )


async def update_service_webhook_configuration(
    tx: Transaction, call: Call[UpdateWebhooks]
) -> ServiceWebhookConfiguration:
    """Update the webhook configuration; the first update sets defaults for method and filters."""
    before = await service_webhook_configuration_store.get_service_webhook_configuration(
        tx, call.scope
    )
    change = call.parameters.columns()
    if not change:
        return before
    defaults = {"method": before.method or "POST", "filters": before.filters or "[]"}
    after = msgspec.structs.replace(before, **(defaults | change))
    await _save(tx, call.scope, after)
    return after
