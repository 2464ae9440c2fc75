"""Actions on the webhook configuration of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.changes import settings_saver
from parlour.resources.webhook_configuration import store as webhook_configuration_store
from parlour.resources.webhook_configuration.store import WebhookConfiguration
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.webhook_configuration.parameters import UpdateWebhookConfiguration
    from parlour.store.transaction import Transaction


_save = settings_saver(
    WebhookConfiguration,
    event_names.ACCOUNT_CHANGED,
    "webhook_configuration",
    webhook_configuration_store.save_webhook_configuration,
)


async def fetch_webhook_configuration(
    tx: Transaction, call: Call[NoParameters]
) -> WebhookConfiguration:
    """Return the account's webhook configuration."""
    return await webhook_configuration_store.get_webhook_configuration(tx, call.scope)


async def update_webhook_configuration(
    tx: Transaction, call: Call[UpdateWebhookConfiguration]
) -> WebhookConfiguration:
    """Update the account's webhook configuration."""
    before = await webhook_configuration_store.get_webhook_configuration(tx, call.scope)
    after = msgspec.structs.replace(before, **call.parameters.columns())
    await _save(tx, call.scope, after)
    return after
