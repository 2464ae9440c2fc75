"""Actions on the webhook retry schedule of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.webhook_retries import store as webhook_retries_store
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.webhook_retries.parameters import UpdateWebhookRetries
    from parlour.resources.webhook_retries.store import WebhookRetries
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


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


async def save_webhook_retries(tx: Transaction, scope: Scope, chosen: WebhookRetries) -> None:
    """Write the account's retry schedule and emit its event."""
    await webhook_retries_store.save_webhook_retries(tx, scope, chosen)
    await tx.emit(
        scope,
        event_names.ACCOUNT_CHANGED,
        subject_sid=chosen.account_sid,
        payload={"webhook_retries": chosen},
    )
