"""Rows of the webhook log for requests of pre-action webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.delivery.attempts import response_excerpt
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.store import webhook_queue
from parlour.store.webhook_queue import DeliveryState, WebhookDelivery

if TYPE_CHECKING:
    from parlour.delivery.pre_action import PreActionAttempt
    from parlour.resources.webhook_attempts.store import WebhookAttempt
    from parlour.store.transaction import Transaction

_encode = msgspec.json.Encoder().encode


async def write_pre_action(
    tx: Transaction, pre_action: PreActionAttempt, sid: str
) -> tuple[str, WebhookAttempt]:
    """Insert a delivery and its attempt for one request of a pre-action webhook.

    Returns the URL and the attempt, which has this SID.
    """
    # There is no event: the sequence is 0, and the attempt's SID makes the key unique. The state
    # ``asked`` and ``due_ms`` None keep the row out of the queue and out of replays.
    delivery = WebhookDelivery(
        account_sid=pre_action.scope.account_sid,
        event_sequence=0,
        target_key=sid,
        service_sid=pre_action.scope.service_sid,
        conversation_sid=pre_action.conversation_sid,
        event_name=pre_action.event_name,
        scope=pre_action.target.scope,
        webhook_sid=None,
        url=pre_action.target.url,
        method=pre_action.target.method,
        retry_limit=None,
        token=pre_action.token,
        parameters=_encode(pre_action.parameters).decode(),
        lane=0,
        lane_order=0,
        state=DeliveryState.ASKED,
        retry_count=0,
        due_ms=None,
        date_queued=pre_action.date_ms,
        date_updated=pre_action.date_ms,
    )
    await webhook_queue.insert_delivery(tx, delivery)
    attempt = webhook_attempt_store.attempt_of(
        delivery,
        sid,
        pre_action.outcome,
        pre_action.date_ms,
        status=pre_action.status,
        error_code=pre_action.error_code,
        error=pre_action.error,
        elapsed_ms=pre_action.elapsed_ms,
        answer=response_excerpt(pre_action.answer),
    )
    await webhook_attempt_store.insert_attempt(tx, attempt)
    return delivery.url, attempt
