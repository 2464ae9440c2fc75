"""How the request of a pre-action webhook stands in the webhook log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.delivery.attempts import response_excerpt
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_attempts.store import WebhookAttempt, WebhookDelivery

if TYPE_CHECKING:
    from parlour.delivery.pre_action import PreActionAttempt
    from parlour.store.transaction import Transaction

_encode = msgspec.json.Encoder().encode


async def write_pre_action(tx: Transaction, asked: PreActionAttempt) -> None:
    """Keep the request of a pre-action webhook, as one that no event stands behind."""
    account_sid = asked.scope.account_sid
    sid = webhook_attempt_store.new_attempt_sid(tx)
    delivery = WebhookDelivery(
        account_sid=account_sid,
        event_sequence=0,
        target_key=sid,
        service_sid=asked.scope.service_sid,
        conversation_sid=asked.conversation_sid,
        event_name=asked.event_name,
        scope=asked.target.scope,
        webhook_sid=None,
        url=asked.target.url,
        method=asked.target.method,
        retry_limit=None,
        token=asked.token,
        parameters=_encode(asked.parameters).decode(),
        lane=0,
        lane_order=0,
        state=webhook_attempt_store.ASKED,
        retry_count=0,
        due_ms=None,
        date_queued=asked.date_ms,
        date_updated=asked.date_ms,
    )
    await webhook_attempt_store.insert_delivery(tx, delivery)
    attempt = WebhookAttempt(
        account_sid=account_sid,
        sid=sid,
        event_sequence=0,
        target_key=sid,
        conversation_sid=asked.conversation_sid,
        event_name=asked.event_name,
        outcome=asked.outcome,
        retry_count=0,
        status=asked.status,
        error_code=asked.error_code,
        error=asked.error,
        elapsed_ms=asked.elapsed_ms,
        answer=response_excerpt(asked.answer),
        next_attempt_ms=None,
        date_created=asked.date_ms,
    )
    await webhook_attempt_store.insert_attempt(tx, attempt)
