"""The retention job of the webhook log. Pending deliveries are never deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.scheduler import Job, transactional
from parlour.store import webhook_queue
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

_HOUR_MS: Final = 60 * 60 * 1000

# tidy: account-in-sql - the retention time is the same for all accounts
EXPIRE_ATTEMPTS = """
DELETE FROM webhook_attempt WHERE (account_sid, sid) IN (
    SELECT account_sid, sid FROM webhook_attempt
     WHERE date_created < $1 ORDER BY date_created LIMIT $2)
"""
# tidy: account-in-sql - as above
OLDEST_ATTEMPT = "SELECT date_created FROM webhook_attempt ORDER BY date_created LIMIT 1"


# tidy: event-for-change - no event is emitted when the retention time of a log entry is over
def retention_job(hours: int) -> Job:
    """Return the job that deletes log entries after a retention time in hours."""
    if not 0 <= hours <= limits.WEBHOOK_RETENTION_HOURS_MAX:
        raise ValueError(f"the webhook log cannot be retained for {hours} hours")
    retention_ms = hours * _HOUR_MS

    async def next_due_ms(tx: Transaction) -> int | None:
        attempt = await tx.one(OLDEST_ATTEMPT)
        attempt_ms = None if attempt is None else int(attempt[0])
        ended_ms = await webhook_queue.oldest_ended_date(tx)
        dates = [date for date in (attempt_ms, ended_ms) if date is not None]
        # The slack batches deletions: otherwise each expired row would cost a commit.
        return min(dates) + retention_ms + limits.RETENTION_SLACK_MS if dates else None

    async def step(tx: Transaction) -> None:
        before_ms = tx.now - retention_ms
        await tx.run(EXPIRE_ATTEMPTS, before_ms, limits.EXPIRED_ATTEMPTS_MAX)
        await webhook_queue.delete_ended(tx, before_ms, limits.EXPIRED_ATTEMPTS_MAX)

    return Job("webhook_retention", next_due_ms, transactional(step), is_upkeep=True)
