"""The webhook queue: the record of a delivery, its states, and all SQL on its rows.

A lane is one URL and one conversation. Its first pending delivery is its head, and only the head
has a ``due_ms``, so due deliveries are found by an index that contains no others.

``delivery/states.py`` has the transitions between the states, and the part that causes each. The
requests that were made for a delivery are in the webhook log (``resources/webhook_attempts``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from parlour.protocol import retries
from parlour.store.statements import statement, values_of
from parlour.vocabulary import limits
from parlour.vocabulary.bounded_count import NONE, BoundedCount, bounded_count

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class DeliveryState(StrEnum):
    """The state of a delivery; a value is the text in the column."""

    # ``absent`` is no value of the column: there is no row. Only a pending delivery has a next
    # attempt; all other states are final until a replay. ``asked`` is the request of a pre-action
    # webhook: it was never pending.

    ABSENT = "absent"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    STOPPED = "stopped"
    DROPPED = "dropped"
    ASKED = "asked"


class WebhookDelivery(msgspec.Struct, frozen=True):
    """One event for one webhook. The fields are in the order of ``ADD``."""

    account_sid: str
    event_sequence: int
    target_key: str
    service_sid: str
    conversation_sid: str
    event_name: str
    scope: str
    webhook_sid: str | None
    url: str
    method: str
    retry_limit: int | None
    token: str
    parameters: str
    lane: int
    lane_order: int
    state: str
    retry_count: int
    due_ms: int | None
    date_queued: int
    date_updated: int


# Invariant: of the pending deliveries of a lane exactly the first by ``lane_order`` has a
# ``due_ms``. Each transaction keeps it:
#
#   ADD            due only if no other delivery of the lane is pending
#   RECORD_RESULT  a retry keeps the head with a new ``due_ms``; any other result ends it, and the
#                  caller must run PROMOTE for the lane in the same transaction
#   PROMOTE        makes the first pending delivery the head, if it is not yet
#   REOPEN         appends a replayed delivery, as head only if none is pending; the last pending
#                  one may end concurrently, so the intake runs PROMOTE after each replay
#   MAKE_DUE       brings the ``due_ms`` of a head forward to now; matches no other row
#   MAKE_URL_DUE   the same for the heads of a URL
#   CAP_DUE        lowers the ``due_ms`` of heads; matches no other rows
#
# A lane without a head is never polled; a second head would be sent out of order.
INSERT = statement(
    "INSERT INTO webhook_delivery ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING",
    WebhookDelivery,
)
ADD = statement(
    "INSERT INTO webhook_delivery ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
    " $11, $12, $13, $14, $15, $16, $17, CASE WHEN EXISTS (SELECT 1 FROM webhook_delivery"
    " WHERE account_sid = $1 AND lane = $14 AND state = 'pending') THEN NULL"
    " ELSE CAST($18 AS BIGINT) END, $19, $20) ON CONFLICT DO NOTHING RETURNING due_ms",
    WebhookDelivery,
)
FIND = statement(
    "SELECT {columns} FROM webhook_delivery"
    " WHERE account_sid = $1 AND event_sequence = $2 AND target_key = $3",
    WebhookDelivery,
)
END_OF_EVENT = """
SELECT MAX(date_updated), COUNT(CASE WHEN state = 'pending' THEN 1 END) FROM webhook_delivery
 WHERE account_sid = $1 AND event_sequence = $2
"""
RECORD_RESULT = """
UPDATE webhook_delivery SET state = $4, retry_count = $5, due_ms = $6, date_updated = $7
 WHERE account_sid = $1 AND event_sequence = $2 AND target_key = $3 AND state = 'pending'
   AND lane_order = $8
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
COUNT_OF = """
SELECT COUNT(*) FROM webhook_delivery WHERE account_sid = $1 AND state = 'pending'
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
OF_REMOVED_WEBHOOK = statement(
    "SELECT {columns} FROM webhook_delivery WHERE account_sid = $1 AND lane = $2"
    " AND state = 'pending' AND webhook_sid = $3 ORDER BY lane_order LIMIT $4",
    WebhookDelivery,
)
MAKE_DUE = """
UPDATE webhook_delivery SET due_ms = $4
 WHERE account_sid = $1 AND event_sequence = $2 AND target_key = $3 AND due_ms > $4
"""
# The number of changes is bounded: a URL may have any number of lanes.
MAKE_URL_DUE = """
UPDATE webhook_delivery SET due_ms = $3
 WHERE account_sid = $1 AND (event_sequence, target_key) IN (
    SELECT event_sequence, target_key FROM webhook_delivery
     WHERE account_sid = $1 AND url = $2 AND due_ms > $3 ORDER BY due_ms LIMIT $4)
   AND due_ms > $3
"""
# A loose index scan, one seek for each URL, in one statement.
WAITING_URLS = """
WITH RECURSIVE found(url) AS (
    SELECT (SELECT MIN(url) FROM webhook_delivery
             WHERE account_sid = $1 AND url > '' AND due_ms IS NOT NULL)
    UNION ALL
    SELECT (SELECT MIN(url) FROM webhook_delivery
             WHERE account_sid = $1 AND url > found.url AND due_ms IS NOT NULL)
      FROM found WHERE found.url IS NOT NULL)
SELECT url FROM found WHERE url IS NOT NULL LIMIT $2
"""
MEASURE_HEADS = """
SELECT COUNT(*), MIN(due_ms), MIN(date_queued) FROM (
    SELECT due_ms, date_queued FROM webhook_delivery
     WHERE account_sid = $1 AND url = $2 AND due_ms IS NOT NULL ORDER BY due_ms LIMIT $3) AS head
"""
COUNT_OF_URL = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM (
        SELECT lane FROM webhook_delivery
         WHERE account_sid = $1 AND url = $2 AND due_ms IS NOT NULL ORDER BY due_ms LIMIT $3
    ) AS head CROSS JOIN webhook_delivery AS waiting
     WHERE waiting.account_sid = $1 AND waiting.lane = head.lane AND waiting.state = 'pending'
     LIMIT $4) AS found
"""
LAST_IN_LANE = """
SELECT lane_order FROM webhook_delivery
 WHERE account_sid = $1 AND lane = $2 AND state = 'pending' ORDER BY lane_order DESC LIMIT 1
"""
REOPEN = """
UPDATE webhook_delivery
   SET state = 'pending', retry_count = 0, lane_order = $4, due_ms = $5, date_queued = $6,
       date_updated = $6
 WHERE account_sid = $1 AND event_sequence = $2 AND target_key = $3
"""
# tidy: account-in-sql - the retention time is the same for all accounts
DELETE_ENDED = """
DELETE FROM webhook_delivery WHERE (account_sid, event_sequence, target_key) IN (
    SELECT account_sid, event_sequence, target_key FROM webhook_delivery
     WHERE state <> 'pending' AND date_updated < $1 ORDER BY date_updated LIMIT $2)
"""
# tidy: account-in-sql - as above
OLDEST_ENDED = """
SELECT date_updated FROM webhook_delivery WHERE state <> 'pending'
 ORDER BY date_updated LIMIT 1
"""


class UrlBacklog(msgspec.Struct, frozen=True):
    """The pending deliveries of a URL; the dates are None if there is none."""

    waiting: BoundedCount = NONE
    lanes: BoundedCount = NONE
    next_due_ms: int | None = None
    oldest_ms: int | None = None
    """When the oldest head was queued, of the lanes that are counted."""


def live_order(event_sequence: int, part: int) -> int:
    """Return the order in its lane of one delivery of an event: by events, then by parts."""
    assert 0 <= part < limits.DELIVERIES_PER_EVENT_MAX
    return event_sequence * 2 * limits.DELIVERIES_PER_EVENT_MAX + part


def reopened_order(last_event_sequence: int) -> int:
    """Return the first order behind all deliveries of the events up to this one."""
    # Each event has two halves: live deliveries in the first one, reopened ones in the second.
    return live_order(last_event_sequence, 0) + limits.DELIVERIES_PER_EVENT_MAX


# --- Changes --------------------------------------------------------------------------------


async def add(tx: Transaction, delivery: WebhookDelivery) -> tuple[bool, int | None]:
    """Queue a delivery; return whether it is new, and its due time: None behind others."""
    row = await tx.one(ADD, *values_of(delivery))
    return (False, None) if row is None else (True, row[0])


async def insert_delivery(tx: Transaction, delivery: WebhookDelivery) -> None:
    """Insert a delivery as it is, without the rules of the queue (``add``), if it is new."""
    await tx.run(INSERT, *values_of(delivery))


async def record_result(
    tx: Transaction,
    delivery: WebhookDelivery,
    state: DeliveryState,
    retry_count: int,
    due_ms: int | None,
) -> int:
    """Write the new state of a delivery; return 0 if the result is not of its present attempt."""
    # No row is updated if it was stopped or dropped, or if an earlier write did commit; nor after a
    # replay, which gives the delivery another order.
    key = (delivery.account_sid, delivery.event_sequence, delivery.target_key)
    return await tx.run(
        RECORD_RESULT, *key, state, retry_count, due_ms, tx.now, delivery.lane_order
    )


async def promote(tx: Transaction, account_sid: str, lane: int) -> bool:
    """Make the first pending delivery of a lane its head; return whether that changed a row."""
    return bool(await tx.run(PROMOTE, account_sid, lane, tx.now))


async def cap_due(tx: Transaction, account_sid: str) -> int:
    """Cap due times to one step of the schedule from now; return the number of changes."""
    return await tx.run(CAP_DUE, account_sid, tx.now, retries.STEP_MS_MAX)


async def reopen(tx: Transaction, scope: Scope, delivery: WebhookDelivery) -> bool:
    """Make a delivery pending again, behind the others of its lane; return whether it can be.

    A delivery that is still pending becomes due now. Pre-action requests are never replayed.
    """
    key = (scope.account_sid, delivery.event_sequence, delivery.target_key)
    if delivery.state == DeliveryState.ASKED:
        return False
    if delivery.state == DeliveryState.PENDING:
        await tx.run(MAKE_DUE, *key, tx.now)
        return True
    last = await tx.one(LAST_IN_LANE, scope.account_sid, delivery.lane)
    order = reopened_order(await tx.visible_through())
    if last is not None:
        order = max(order, last[0] + 1)
    await tx.run(REOPEN, *key, order, tx.now if last is None else None, tx.now)
    return True


async def make_url_due(tx: Transaction, account_sid: str, url: str) -> int:
    """Make the heads of a URL's lanes due now; return how many were not, up to the limit."""
    return await tx.run(MAKE_URL_DUE, account_sid, url, tx.now, limits.LANES_RETRIED_MAX)


async def delete_ended(tx: Transaction, before_ms: int, count: int) -> None:
    """Delete some deliveries that are not pending and have not changed since a time."""
    await tx.run(DELETE_ENDED, before_ms, count)


# --- Reads ----------------------------------------------------------------------------------


async def find_delivery(
    tx: Transaction, scope: Scope, event_sequence: int, target_key: str
) -> WebhookDelivery | None:
    """Return the delivery of one event to one webhook."""
    row = await tx.one(FIND, scope.account_sid, event_sequence, target_key)
    return WebhookDelivery(*row) if row else None


async def end_of_event(tx: Transaction, scope: Scope, event_sequence: int) -> int | None:
    """Return when the last delivery of an event ended; None if one is pending, or without any."""
    row = await tx.one(END_OF_EVENT, scope.account_sid, event_sequence)
    return None if row is None or row[0] is None or row[1] else int(row[0])


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


async def waiting_endpoints(tx: Transaction, count: int) -> list[tuple[str, str]]:
    """Return the first URLs with pending deliveries, of all accounts."""
    found: list[tuple[str, str]] = []
    while len(found) < count:
        row = await tx.one(ENDPOINT_AFTER, *(found[-1] if found else ("", "")))
        if row is None:
            break
        found.append((row[0], row[1]))
    return found


async def waiting_urls(tx: Transaction, account_sid: str, count: int) -> list[str]:
    """Return URLs of an account with pending deliveries, in their order."""
    return [row[0] for row in await tx.all(WAITING_URLS, account_sid, count)]


async def measure_url(tx: Transaction, account_sid: str, url: str) -> UrlBacklog:
    """Return the backlog of a URL; counting is bounded."""
    lanes_max, most = limits.LANES_COUNTED_MAX, limits.DELIVERIES_COUNTED_MAX
    heads = await tx.one(MEASURE_HEADS, account_sid, url, lanes_max + 1)
    assert heads is not None
    if not heads[0]:
        return UrlBacklog()
    waiting = await tx.one(COUNT_OF_URL, account_sid, url, lanes_max, most + 1)
    assert waiting is not None
    lanes = bounded_count(heads[0], lanes_max)
    counted = bounded_count(waiting[0], most)
    if lanes.at_least:
        counted = BoundedCount(counted.count, at_least=True)
    return UrlBacklog(counted, lanes, heads[1], heads[2])


async def count_of(tx: Transaction, account_sid: str) -> int:
    """Return the number of pending deliveries of an account."""
    row = await tx.one(COUNT_OF, account_sid)
    assert row is not None
    return int(row[0])


async def counts(tx: Transaction) -> dict[str, int]:
    """Return the number of pending deliveries of each account that has any."""
    return {row[0]: row[1] for row in await tx.all(COUNTS)}


async def oldest_date(tx: Transaction, account_sid: str) -> int | None:
    """Return when the oldest pending delivery of an account was queued."""
    row = await tx.one(OLDEST_DATE, account_sid)
    return row[0] if row else None


async def oldest(tx: Transaction, account_sid: str, count: int) -> list[WebhookDelivery]:
    """Return the oldest pending deliveries of an account."""
    return [WebhookDelivery(*row) for row in await tx.all(OLDEST, account_sid, count)]


async def is_retrying(tx: Transaction, account_sid: str, lane: int) -> bool:
    """Return whether the head of a lane has failed before."""
    head = await tx.one(HEAD_RETRIES, account_sid, lane)
    return head is not None and head[0] > 0


async def of_removed_webhook(
    tx: Transaction, account_sid: str, lane: int, webhook_sid: str
) -> list[WebhookDelivery]:
    """Return the pending deliveries of a webhook in a lane, at most as many as one step drops."""
    count = limits.DELIVERIES_DROPPED_PER_STEP_MAX
    rows = await tx.all(OF_REMOVED_WEBHOOK, account_sid, lane, webhook_sid, count)
    return [WebhookDelivery(*row) for row in rows]


async def oldest_ended_date(tx: Transaction) -> int | None:
    """Return when the delivery that was the first to end was changed, over all accounts."""
    row = await tx.one(OLDEST_ENDED)
    return row[0] if row else None
