"""The outbox over all accounts: due submissions for their owner, and the cleanup of ended ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from parlour.operations.scheduler import Job, transactional
from parlour.resources.outbox.store import Submission
from parlour.store.statements import statement
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

# A loose index scan: one seek for each carrier or account, however long their queues are.
# tidy: account-in-sql - one process sends for all accounts
CARRIER_AFTER = """
SELECT carrier FROM submission WHERE state = 'queued' AND carrier > $1 ORDER BY carrier LIMIT 1
"""
# tidy: account-in-sql - as above
ACCOUNT_AFTER = """
SELECT account_sid, due_ms FROM submission
 WHERE carrier = $1 AND account_sid > $2 AND due_ms IS NOT NULL
 ORDER BY account_sid, due_ms LIMIT 1
"""
# A head waits for an older one of its lane in another conversation, which had the binding before.
# Only heads are compared, so that the oldest of a lane waits for none, even after the clock was set
# back.
HEADS = statement(
    "SELECT {columns} FROM submission"
    " WHERE carrier = $2 AND account_sid = $1 AND due_ms <= $3 AND NOT EXISTS ("
    "SELECT 1 FROM submission AS other WHERE other.account_sid = $1"
    " AND other.lane = submission.lane AND other.state = 'queued' AND other.due_ms IS NOT NULL"
    " AND (other.date_created, other.sid) < (submission.date_created, submission.sid))"
    " ORDER BY due_ms LIMIT $4",
    Submission,
)
# tidy: account-in-sql - as above
QUEUE_LENGTH = "SELECT COUNT(*) FROM submission WHERE state = 'queued' AND carrier = $1"
# tidy: account-in-sql - as above
CAP_DUE = "UPDATE submission SET due_ms = $1 WHERE due_ms > $2"
# tidy: account-in-sql - the retention time is the same for all accounts
OLDEST_ENDED = """
SELECT date_ended FROM submission WHERE date_ended IS NOT NULL ORDER BY date_ended LIMIT 1
"""
# tidy: account-in-sql - as above
DELETE_ENDED_PARTS = """
DELETE FROM submission_part WHERE (account_sid, submission_sid) IN (
    SELECT account_sid, sid FROM submission WHERE date_ended < $1 ORDER BY date_ended LIMIT $2)
"""
# tidy: account-in-sql - as above
DELETE_ENDED = """
DELETE FROM submission WHERE (account_sid, sid) IN (
    SELECT account_sid, sid FROM submission WHERE date_ended < $1 ORDER BY date_ended LIMIT $2)
"""
NEXT_EXPIRY = "SELECT expires_ms FROM early_report ORDER BY expires_ms LIMIT 1"
EXPIRED = """
SELECT carrier, provider_id, report FROM early_report WHERE expires_ms <= $1
 ORDER BY expires_ms LIMIT $2
"""
DELETE_EXPIRED = "DELETE FROM early_report WHERE carrier = $1 AND provider_id = $2"


class DueAccount(NamedTuple):
    """An account with queued submissions of a carrier, and when the first of them is due."""

    account_sid: str
    due_ms: int


class ExpiredReport(NamedTuple):
    """An early report whose submission never came; ``report`` is JSON."""

    carrier: str
    provider_id: str
    report: str


async def accounts_after(tx: Transaction, carrier: str, account_sid: str) -> list[DueAccount]:
    """Return accounts with queued submissions of a carrier, after an account.

    At most ``OUTBOX_ACCOUNTS_PER_STEP_MAX``.
    """
    found: list[DueAccount] = []
    while len(found) < limits.OUTBOX_ACCOUNTS_PER_STEP_MAX:
        row = await tx.one(ACCOUNT_AFTER, carrier, account_sid)
        if row is None:
            break
        found.append(DueAccount(*row))
        account_sid = row[0]
    return found


async def due_heads(
    tx: Transaction, carrier: str, account_sid: str, now_ms: int, count: int
) -> list[Submission]:
    """Return the heads of an account's lanes that are due, the earliest first.

    Without those that wait for the backlog of another conversation.
    """
    rows = await tx.all(HEADS, account_sid, carrier, now_ms, count)
    return [Submission(*row) for row in rows]


async def queue_lengths(tx: Transaction) -> dict[str, int]:
    """Return the number of queued submissions of each carrier that has any."""
    lengths: dict[str, int] = {}
    row = await tx.one(CARRIER_AFTER, "")
    # No route: the empty name, which comes before all others.
    names = [""] if row is None else ["", row[0]]
    while row is not None:
        row = await tx.one(CARRIER_AFTER, row[0])
        if row is not None:
            names.append(row[0])
    for name in names:
        counted = await tx.one(QUEUE_LENGTH, name)
        if counted is not None and counted[0]:
            lengths[name] = int(counted[0])
    return lengths


# tidy: event-for-change - clients need no event for a date that only the clock changed
async def cap_due_dates(tx: Transaction) -> None:
    """Cap the dates of retries after the clock was set back."""
    await tx.run(CAP_DUE, tx.now, tx.now + limits.CARRIER_RETRY_AFTER_MS_MAX)


# --- Cleanup --------------------------------------------------------------------------------


def outbox_retention_job() -> Job:
    """Return the job that deletes submissions some time after they ended."""
    return Job("outbox_retention", _next_retention_ms, transactional(_delete_ended), is_upkeep=True)


async def _next_retention_ms(tx: Transaction) -> int | None:
    row = await tx.one(OLDEST_ENDED)
    return None if row is None else int(row[0]) + limits.SUBMISSION_RETENTION_MS + 1


# tidy: event-for-change - reports are recorded in receipts, which remain
async def _delete_ended(tx: Transaction) -> None:
    before_ms = tx.now - limits.SUBMISSION_RETENTION_MS
    step = limits.OUTBOX_DELETED_PER_STEP_MAX
    await tx.run(DELETE_ENDED_PARTS, before_ms, step)
    await tx.run(DELETE_ENDED, before_ms, step)


async def next_expiry_ms(tx: Transaction) -> int | None:
    """Return when the oldest early report expires."""
    row = await tx.one(NEXT_EXPIRY)
    return None if row is None else int(row[0])


# tidy: event-for-change - the reports are about nothing that clients see
async def take_expired_reports(tx: Transaction) -> list[ExpiredReport]:
    """Delete and return the early reports that expired, at most as many as one step."""
    rows = await tx.all(EXPIRED, tx.now, limits.OUTBOX_DELETED_PER_STEP_MAX)
    found = [ExpiredReport(*row) for row in rows]
    for carrier, provider_id in {each[:2] for each in found}:
        await tx.run(DELETE_EXPIRED, carrier, provider_id)
    return found
