"""The retention job of webhook endpoints: URLs without attempts for the retention time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.scheduler import Job, transactional
from parlour.resources.webhook_endpoints import store as webhook_endpoint_store
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

_HOUR_MS: Final = 60 * 60 * 1000


# tidy: event-for-change - no event is emitted when the retention time of a row is over
def endpoint_retention_job(hours: int) -> Job:
    """Return the job that deletes endpoints after the retention time of the webhook log."""
    # An hour more, since the date of the last use is rounded down.
    retention_ms = (hours + 1) * _HOUR_MS

    async def next_due_ms(tx: Transaction) -> int | None:
        oldest = await tx.one(webhook_endpoint_store.OLDEST)
        return None if oldest is None else int(oldest[0]) + retention_ms + limits.RETENTION_SLACK_MS

    async def step(tx: Transaction) -> None:
        before_ms = tx.now - retention_ms
        await tx.run(webhook_endpoint_store.EXPIRE, before_ms, limits.EXPIRED_ATTEMPTS_MAX)

    return Job("webhook_endpoint_retention", next_due_ms, transactional(step), is_upkeep=True)
