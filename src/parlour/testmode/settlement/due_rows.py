"""Rows that are due, or will be: webhook deliveries and submissions of the outbox.

Only heads of lanes have a due date. The head of a submission's lane waits for an older head in
another conversation, as in `resources/outbox/queue.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

WEBHOOKS: Final = "webhooks"
CARRIERS: Final = "carriers"
TIMERS: Final = "timers"

# tidy: account-in-sql - the clock is of all accounts
NEXT_DELIVERY = "SELECT MIN(due_ms) FROM webhook_delivery WHERE due_ms IS NOT NULL"
NEXT_DELIVERY_OF = """
SELECT MIN(due_ms) FROM webhook_delivery WHERE account_sid = $1 AND due_ms IS NOT NULL
"""
# tidy: account-in-sql - as above
COUNT_DELIVERIES = "SELECT COUNT(*) FROM webhook_delivery WHERE due_ms <= $1"
# tidy: account-in-sql - as above
NEXT_SUBMISSION = """
SELECT MIN(due_ms) FROM submission WHERE due_ms IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM submission AS other
     WHERE other.account_sid = submission.account_sid AND other.lane = submission.lane
       AND other.state = 'queued' AND other.due_ms IS NOT NULL
       AND (other.date_created, other.sid) < (submission.date_created, submission.sid))
"""
NEXT_SUBMISSION_OF = """
SELECT MIN(due_ms) FROM submission
 WHERE account_sid = $1 AND due_ms IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM submission AS other
     WHERE other.account_sid = $1 AND other.lane = submission.lane
       AND other.state = 'queued' AND other.due_ms IS NOT NULL
       AND (other.date_created, other.sid) < (submission.date_created, submission.sid))
"""
# tidy: account-in-sql - as above
COUNT_SUBMISSIONS = "SELECT COUNT(*) FROM submission WHERE due_ms <= $1"
# tidy: account-in-sql - as above
COUNT_TIMERS = """
SELECT COUNT(*) FROM conversation WHERE date_inactive <= $1 OR date_closed <= $1
"""
EVENT_OF_AFTER = "SELECT 1 FROM event WHERE account_sid = $1 AND sequence > $2 LIMIT 1"


class Due(NamedTuple):
    """Something that happens at a date of the clock."""

    at_ms: int
    what: str


async def next_rows(tx: Transaction, account_sid: str | None = None) -> list[Due]:
    """Return when the next webhook delivery and the next submission are due."""
    if account_sid is None:
        rows = await tx.one(NEXT_DELIVERY), await tx.one(NEXT_SUBMISSION)
    else:
        rows = (
            await tx.one(NEXT_DELIVERY_OF, account_sid),
            await tx.one(NEXT_SUBMISSION_OF, account_sid),
        )
    named = zip(rows, (WEBHOOKS, CARRIERS), strict=True)
    return [Due(int(row[0]), what) for row, what in named if row is not None and row[0] is not None]


async def count_due(tx: Transaction, what: str, at_ms: int) -> int:
    """Return how many things of a kind are due at a date; 1 for a job without a number."""
    if what == WEBHOOKS:
        row = await tx.one(COUNT_DELIVERIES, at_ms)
    elif what == CARRIERS:
        row = await tx.one(COUNT_SUBMISSIONS, at_ms)
    elif what == TIMERS:
        row = await tx.one(COUNT_TIMERS, at_ms)
    else:
        return 1
    return 1 if row is None else max(1, int(row[0]))


async def has_events_after(tx: Transaction, account_sid: str, sequence: int) -> bool:
    """Return whether the log has events of an account after a number."""
    return await tx.one(EVENT_OF_AFTER, account_sid, sequence) is not None
