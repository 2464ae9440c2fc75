"""Actions on the webhook retry schedule of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.changes import settings_saver
from parlour.resources.webhook_retries import store as webhook_retries_store
from parlour.resources.webhook_retries.store import WebhookRetries
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.webhook_retries.parameters import UpdateWebhookRetries
    from parlour.store.transaction import Transaction


save_webhook_retries = settings_saver(
    WebhookRetries,
    event_names.ACCOUNT_CHANGED,
    "webhook_retries",
    webhook_retries_store.save_webhook_retries,
)


async def fetch_webhook_retries(tx: Transaction, call: Call[NoParameters]) -> WebhookRetries:
    """Return the account's retry schedule."""
    return await webhook_retries_store.get_webhook_retries(tx, call.scope)


async def update_webhook_retries(
    tx: Transaction, call: Call[UpdateWebhookRetries]
) -> WebhookRetries:
    """Set the retry schedule; it applies to attempts that start at least a second later."""
    before = await webhook_retries_store.get_webhook_retries(tx, call.scope)
    after = msgspec.structs.replace(before, **call.parameters.given())
    await save_webhook_retries(tx, call.scope, after)
    return after
