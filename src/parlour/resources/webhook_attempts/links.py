"""What attempts are shown with: their events and requests, and how many attempts there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from parlour.protocol import retries
from parlour.resources.webhook_retries import store as webhook_retries_store
from parlour.store import event_log
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.webhook_attempts.store import LoggedAttempt
    from parlour.store.transaction import Transaction
    from parlour.store.webhook_queue import WebhookDelivery


async def linked(
    tx: Transaction, call: Call[Any], found: list[LoggedAttempt]
) -> list[LoggedAttempt]:
    """Return the attempts with the cursors of their events, requests, and numbers of attempts."""
    if not found:
        return []
    account_sid, cursors = call.scope.account_sid, call.vault.event_cursors
    sequences = list(dict.fromkeys(each.attempt.event_sequence for each in found))
    requests: dict[int, str | None] = {}
    for first in range(0, len(sequences), event_log.SEQUENCES_PER_QUERY):
        some = sequences[first : first + event_log.SEQUENCES_PER_QUERY]
        for event in await event_log.find_by_sequences(tx, call.scope, some):
            requests[event.sequence] = event.request_sid
    chosen = await webhook_retries_store.get_webhook_retries(tx, call.scope)
    schedule = chosen.schedule or call.settings.webhook_retries
    return [
        replace(
            each,
            request_sid=requests.get(each.attempt.event_sequence),
            # A pre-action webhook has no event.
            event_cursor=cursors.write(account_sid, each.attempt.event_sequence)
            if each.attempt.event_sequence
            else None,
            attempts_max=_attempts_max(each.delivery, schedule),
        )
        for each in found
    ]


def _attempts_max(delivery: WebhookDelivery | None, schedule: str) -> int | None:
    """Return the number of attempts of a schedule; a fragment of the URL may override it."""
    if delivery is None or "#" in delivery.url:
        return None
    if delivery.event_sequence == 0:
        return 1
    if schedule == webhook_retries_store.DURABLE:
        return 1 + len(retries.DURABLE.delays_ms)
    retry_count = min(delivery.retry_limit or 0, limits.WEBHOOK_RETRIES_MAX)
    return 1 + len(retries.hosted_schedule(retry_count).delays_ms)
