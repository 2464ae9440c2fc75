"""Deliveries that end without a request: too many were pending, or their webhook was removed.

Each gets an entry in the webhook log, in the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_attempts.store import LoggedOutcome
from parlour.store import webhook_queue
from parlour.store.webhook_queue import DeliveryState

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.store.webhook_queue import WebhookDelivery


async def drop_oldest(tx: Transaction, account_sid: str, count: int) -> list[WebhookDelivery]:
    """Drop the oldest pending deliveries of an account; return them."""
    found = await webhook_queue.oldest(tx, account_sid, count)
    dropped = [
        await _give_up(tx, delivery, DeliveryState.DROPPED, "too many were waiting")
        for delivery in found
    ]
    for lane in {delivery.lane for delivery in dropped}:
        await webhook_queue.promote(tx, account_sid, lane)
    return dropped


async def stop_removed(
    tx: Transaction, account_sid: str, lane: int, webhook_sid: str
) -> list[WebhookDelivery]:
    """Stop the deliveries of a detached webhook whose lane is retrying; return them.

    In a lane that is not retrying, the deliveries are still sent once each.
    """
    if not await webhook_queue.is_retrying(tx, account_sid, lane):
        return []
    found = await webhook_queue.of_removed_webhook(tx, account_sid, lane, webhook_sid)
    stopped = [
        await _give_up(tx, delivery, DeliveryState.STOPPED, "its webhook was removed")
        for delivery in found
    ]
    await webhook_queue.promote(tx, account_sid, lane)
    return stopped


async def _give_up(
    tx: Transaction, delivery: WebhookDelivery, state: DeliveryState, why: str
) -> WebhookDelivery:
    """End a delivery; the log shows an attempt that was not sent. Return it as it is then."""
    if await webhook_queue.record_result(tx, delivery, state, delivery.retry_count, None):
        sid = webhook_attempt_store.new_attempt_sid(tx)
        attempt = webhook_attempt_store.attempt_of(
            delivery, sid, LoggedOutcome(state), tx.now, error=why
        )
        await webhook_attempt_store.insert_attempt(tx, attempt)
    return msgspec.structs.replace(delivery, state=state)
