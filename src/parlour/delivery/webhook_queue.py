"""The queue of deliveries on disk: the next delivery of each lane, and its due time.

A lane is one URL and one conversation. Its first pending delivery is its head, and only the head
has a ``due_ms``, so due deliveries are found by an index that contains no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.protocol import retries
from parlour.resources.webhook_attempts import store as webhook_attempt_store
from parlour.resources.webhook_attempts.store import WebhookAttempt, WebhookDelivery
from parlour.store.statements import statement, values_of
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

# Invariant: of the pending deliveries of a lane exactly the first by ``lane_order`` has a
# ``due_ms``. Each transaction keeps it:
#
#   ADD            due only if no other delivery of the lane is pending
#   RECORD_RESULT  a retry keeps the head with a new ``due_ms``; any other result ends it, and the
#                  caller must run PROMOTE for the lane in the same transaction
#   PROMOTE        makes the first pending delivery the head, if it is not yet
#   REOPEN         appends a replayed delivery, as head only if none is pending; the last pending
#                  one may end concurrently, so the intake runs PROMOTE after each replay
#
# A lane without a head is never polled; a second head would be sent out of order.
ADD = statement(
    "INSERT INTO webhook_delivery ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
    " $11, $12, $13, $14, $15, $16, $17, CASE WHEN EXISTS (SELECT 1 FROM webhook_delivery"
    " WHERE account_sid = $1 AND lane = $14 AND state = 'pending') THEN NULL"
    " ELSE CAST($18 AS BIGINT) END, $19, $20) ON CONFLICT DO NOTHING RETURNING due_ms",
    WebhookDelivery,
)
RECORD_RESULT = """
UPDATE webhook_delivery SET state = $4, retry_count = $5, due_ms = $6, date_updated = $7
 WHERE account_sid = $1 AND event_sequence = $2 AND target_key = $3 AND state = 'pending'
"""
PROMOTE = """
UPDATE webhook_delivery SET due_ms = $3
 WHERE account_sid = $1 AND lane = $2 AND state = 'pending' AND due_ms IS NULL
   AND lane_order = (SELECT MIN(lane_order) FROM webhook_delivery
                      WHERE account_sid = $1 AND lane = $2 AND state = 'pending')
"""
# A due time later than the delay of its retry from now was written before the clock was set back.
# It becomes now plus that delay, at most $3. A first attempt is due now.
CAP_DUE = """
UPDATE webhook_delivery
   SET due_ms = $2 + CASE WHEN retry_count = 0 OR due_ms < date_updated THEN 0
                          WHEN due_ms - date_updated > $3 THEN $3
                          ELSE due_ms - date_updated END,
       date_updated = $2
 WHERE account_sid = $1 AND due_ms > $2
   AND (retry_count = 0 OR date_updated > $2 OR due_ms > $2 + $3)
"""
FOLLOWING = statement(
    "SELECT {columns} FROM webhook_delivery WHERE account_sid = $1 AND lane = $2"
    " AND state = 'pending' AND lane_order > $3 ORDER BY lane_order LIMIT $4",
    WebhookDelivery,
)
HEADS = """
SELECT lane, due_ms, lane_order FROM webhook_delivery
 WHERE account_sid = $1 AND url = $2 AND due_ms IS NOT NULL ORDER BY due_ms LIMIT $3
"""
# tidy: account-in-sql - the start resumes what every account has waiting
ENDPOINT_AFTER = """
SELECT account_sid, url, due_ms FROM webhook_delivery
 WHERE due_ms IS NOT NULL AND (account_sid, url) > ($1, $2)
 ORDER BY account_sid, url, due_ms LIMIT 1
"""
# tidy: account-in-sql - the counts are by account, of all accounts
COUNTS = """
SELECT account_sid, COUNT(*) FROM webhook_delivery WHERE state = 'pending' GROUP BY account_sid
"""
OLDEST = statement(
    "SELECT {columns} FROM webhook_delivery WHERE account_sid = $1 AND state = 'pending'"
    " ORDER BY event_sequence LIMIT $2",
    WebhookDelivery,
)
OLDEST_DATE = """
SELECT date_queued FROM webhook_delivery WHERE account_sid = $1 AND state = 'pending'
 ORDER BY event_sequence LIMIT 1
"""
HEAD_RETRIES = """
SELECT retry_count FROM webhook_delivery
 WHERE account_sid = $1 AND lane = $2 AND state = 'pending' ORDER BY lane_order LIMIT 1
"""
# A webhook that was deleted with its conversation or service was not detached: its deliveries are
# still sent.
DETACHED = """
SELECT 1 FROM (
    SELECT service_sid FROM conversation WHERE account_sid = $1 AND sid = $2 LIMIT 1) AS here
  JOIN service ON service.account_sid = $1 AND service.sid = here.service_sid
 WHERE NOT EXISTS (SELECT 1 FROM scoped_webhook WHERE account_sid = $1 AND sid = $3)
"""
OF_REMOVED_WEBHOOK = statement(
    "SELECT {columns} FROM webhook_delivery WHERE account_sid = $1 AND lane = $2"
    " AND state = 'pending' AND webhook_sid = $3 ORDER BY lane_order LIMIT $4",
    WebhookDelivery,
)


async def add(tx: Transaction, delivery: WebhookDelivery) -> tuple[bool, int | None]:
    """Queue a delivery; return whether it is new, and its due time: None behind others."""
    row = await tx.one(ADD, *values_of(delivery))
    return (False, None) if row is None else (True, row[0])


async def record_result(
    tx: Transaction, delivery: WebhookDelivery, state: str, retry_count: int, due_ms: int | None
) -> int:
    """Write the new state of a delivery; return 0 if it is no longer pending."""
    # No row is updated if it was stopped or dropped, or if an earlier write did commit.
    key = (delivery.account_sid, delivery.event_sequence, delivery.target_key)
    return await tx.run(RECORD_RESULT, *key, state, retry_count, due_ms, tx.now)


async def promote(tx: Transaction, account_sid: str, lane: int) -> bool:
    """Make the first pending delivery of a lane its head; return whether that changed a row."""
    return bool(await tx.run(PROMOTE, account_sid, lane, tx.now))


async def cap_due(tx: Transaction, account_sid: str) -> int:
    """Cap due times to one step of the schedule from now; return the number of changes."""
    return await tx.run(CAP_DUE, account_sid, tx.now, retries.STEP_MS_MAX)


async def following(
    tx: Transaction, account_sid: str, lane: int, after: int
) -> list[WebhookDelivery]:
    """Return the next deliveries of a lane, as many as fit in memory."""
    rows = await tx.all(FOLLOWING, account_sid, lane, after, limits.LANE_DELIVERIES_MAX)
    return [WebhookDelivery(*row) for row in rows]


async def heads(
    tx: Transaction, account_sid: str, url: str, count: int
) -> list[tuple[int, int, int]]:
    """Return the heads of the lanes of a URL, soonest first: lane, due time, lane order."""
    return [(row[0], row[1], row[2]) for row in await tx.all(HEADS, account_sid, url, count)]


async def endpoints(tx: Transaction, after: tuple[str, str]) -> list[tuple[str, str, int]]:
    """Return URLs of one account with a head, after a URL, and when the first head is due.

    At most ``ENDPOINTS_PER_STEP_MAX``.
    """
    # A loose index scan, one seek for each URL: a DISTINCT would read all heads.
    found: list[tuple[str, str, int]] = []
    while len(found) < limits.ENDPOINTS_PER_STEP_MAX:
        row = await tx.one(ENDPOINT_AFTER, *after)
        if row is None or row[0] != after[0]:
            break
        found.append((row[0], row[1], row[2]))
        after = (row[0], row[1])
    return found


async def counts(tx: Transaction) -> dict[str, int]:
    """Return the number of pending deliveries of each account that has any."""
    return {row[0]: row[1] for row in await tx.all(COUNTS)}


async def oldest_date(tx: Transaction, account_sid: str) -> int | None:
    """Return when the oldest pending delivery of an account was queued."""
    row = await tx.one(OLDEST_DATE, account_sid)
    return row[0] if row else None


async def drop_oldest(tx: Transaction, account_sid: str, count: int) -> list[WebhookDelivery]:
    """Drop the oldest pending deliveries of an account, with an entry in the log; return them."""
    rows = await tx.all(OLDEST, account_sid, count)
    dropped = [WebhookDelivery(*row) for row in rows]
    for delivery in dropped:
        await give_up(tx, delivery, webhook_attempt_store.DROPPED, "too many were waiting")
    for lane in {delivery.lane for delivery in dropped}:
        await promote(tx, account_sid, lane)
    return [
        msgspec.structs.replace(delivery, state=webhook_attempt_store.DROPPED)
        for delivery in dropped
    ]


async def stop_removed(
    tx: Transaction, account_sid: str, lane: int, webhook_sid: str
) -> list[WebhookDelivery]:
    """Stop the deliveries of a detached webhook whose lane is retrying; return them.

    In a lane that is not retrying, the deliveries are still sent once each.
    """
    head = await tx.one(HEAD_RETRIES, account_sid, lane)
    if head is None or not head[0]:
        return []
    count = limits.DELIVERIES_DROPPED_PER_STEP_MAX
    rows = await tx.all(OF_REMOVED_WEBHOOK, account_sid, lane, webhook_sid, count)
    stopped = [WebhookDelivery(*row) for row in rows]
    for delivery in stopped:
        await give_up(tx, delivery, webhook_attempt_store.STOPPED, "its webhook was removed")
    await promote(tx, account_sid, lane)
    return [
        msgspec.structs.replace(delivery, state=webhook_attempt_store.STOPPED)
        for delivery in stopped
    ]


async def is_detached(tx: Transaction, delivery: WebhookDelivery) -> bool:
    """Return whether the webhook of a delivery was deleted from a conversation that remains."""
    if delivery.webhook_sid is None:
        return False
    sids = (delivery.conversation_sid, delivery.webhook_sid)
    return await tx.one(DETACHED, delivery.account_sid, *sids) is not None


async def give_up(tx: Transaction, delivery: WebhookDelivery, state: str, why: str) -> None:
    """End a delivery without a request; the log shows an attempt that was not sent."""
    if not await record_result(tx, delivery, state, delivery.retry_count, None):
        return
    attempt = WebhookAttempt(
        account_sid=delivery.account_sid,
        sid=webhook_attempt_store.new_attempt_sid(tx),
        event_sequence=delivery.event_sequence,
        target_key=delivery.target_key,
        conversation_sid=delivery.conversation_sid,
        event_name=delivery.event_name,
        outcome=state,
        retry_count=delivery.retry_count,
        status=None,
        error_code=None,
        error=why,
        elapsed_ms=0,
        answer="",
        next_attempt_ms=None,
        date_created=tx.now,
    )
    await webhook_attempt_store.insert_attempt(tx, attempt)
