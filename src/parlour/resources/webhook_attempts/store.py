"""Rows of webhook deliveries and attempts: each event for one webhook, and each request for it.

SIDs of attempts ascend with time (microseconds in hexadecimal, then random digits), so a date is a
position in the list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store import event_log
from parlour.store.statements import insert, statement, values_of, window
from parlour.store.windows import read_window
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
FAILED: Final = "failed"
STOPPED: Final = "stopped"
DROPPED: Final = "dropped"
ASKED: Final = "asked"
RETRYING: Final = "retrying"
REJECTED: Final = "rejected"
UNREADABLE: Final = "unreadable"

OUTCOMES: Final = (DELIVERED, RETRYING, FAILED, STOPPED, DROPPED, REJECTED, UNREADABLE)
"""The outcomes of an attempt.

``delivered``: 2xx. ``retrying``: failed, and a retry follows. ``failed``: failed, and no retry
follows. ``stopped``: 410, or the webhook was removed. ``dropped``: no request was made, as too many
deliveries were pending. ``rejected``: a pre-action webhook rejected the action. ``unreadable``: no
request was made, as this version cannot decode the event.
"""

STATES: Final = (PENDING, DELIVERED, FAILED, STOPPED, DROPPED, ASKED)
"""The states of a delivery; ``asked`` is the request of a pre-action webhook."""


class WebhookDelivery(msgspec.Struct, frozen=True):
    """One event for one webhook. The fields are in the order of ``webhook_queue.ADD``."""

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


class WebhookAttempt(msgspec.Struct, frozen=True):
    """One request. ``next_attempt_ms`` is set if a retry follows."""

    account_sid: str
    sid: str
    event_sequence: int
    target_key: str
    conversation_sid: str
    event_name: str
    outcome: str
    retry_count: int
    status: int | None
    error_code: int | None
    error: str | None
    elapsed_ms: int
    answer: str
    next_attempt_ms: int | None
    date_created: int


class AttemptFilters(msgspec.Struct, frozen=True):
    """Filters of attempts; an empty text matches any. The SIDs are bounds in time."""

    conversation_sid: str = ""
    event_name: str = ""
    outcome: str = ""
    from_sid: str = ""
    before_sid: str = "~"

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the arguments of a list's statement, after the account."""
        return msgspec.structs.astuple(self)


class LoggedAttempt(msgspec.Struct, frozen=True):
    """An attempt with its delivery; None if that was deleted by the retention job."""

    attempt: WebhookAttempt
    delivery: WebhookDelivery | None

    @property
    def sid(self) -> str:
        """Return the SID of the attempt."""
        return self.attempt.sid


INSERT_DELIVERY = insert("webhook_delivery", WebhookDelivery)
INSERT_ATTEMPT = insert("webhook_attempt", WebhookAttempt)
FETCH = statement(
    "SELECT {columns} FROM webhook_attempt WHERE account_sid = $1 AND sid = $2", WebhookAttempt
)
FETCH_DELIVERY = statement(
    "SELECT {columns} FROM webhook_delivery"
    " WHERE account_sid = $1 AND event_sequence = $2 AND target_key = $3",
    WebhookDelivery,
)
# One statement for each index: the conversation is most selective, then the outcome.
LIST_OF_CONVERSATION = window(
    "SELECT {columns} FROM webhook_attempt WHERE account_sid = $1 AND conversation_sid = $2"
    " AND ($3 = '' OR event_name = $3) AND ($4 = '' OR outcome = $4) AND sid >= $5 AND sid < $6",
    WebhookAttempt,
    order="sid",
    arguments=6,
    descending=True,
)
LIST_OF_OUTCOME = window(
    "SELECT {columns} FROM webhook_attempt WHERE account_sid = $1 AND outcome = $4"
    " AND outcome <> 'delivered' AND ($2 = '' OR conversation_sid = $2)"
    " AND ($3 = '' OR event_name = $3) AND sid >= $5 AND sid < $6",
    WebhookAttempt,
    order="sid",
    arguments=6,
    descending=True,
)
LIST_OF_EVENT = window(
    "SELECT {columns} FROM webhook_attempt WHERE account_sid = $1 AND event_name = $3"
    " AND ($2 = '' OR conversation_sid = $2) AND ($4 = '' OR outcome = $4)"
    " AND sid >= $5 AND sid < $6",
    WebhookAttempt,
    order="sid",
    arguments=6,
    descending=True,
)
LIST = window(
    "SELECT {columns} FROM webhook_attempt WHERE account_sid = $1"
    " AND ($2 = '' OR conversation_sid = $2) AND ($3 = '' OR event_name = $3)"
    " AND ($4 = '' OR outcome = $4) AND sid >= $5 AND sid < $6",
    WebhookAttempt,
    order="sid",
    arguments=6,
    descending=True,
)
MAKE_DUE = """
UPDATE webhook_delivery SET due_ms = $4
 WHERE account_sid = $1 AND event_sequence = $2 AND target_key = $3 AND due_ms > $4
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


def live_order(event_sequence: int, part: int) -> int:
    """Return the order in its lane of one delivery of an event: by events, then by parts."""
    assert 0 <= part < limits.DELIVERIES_PER_EVENT_MAX
    return event_sequence * 2 * limits.DELIVERIES_PER_EVENT_MAX + part


def reopened_order(last_event_sequence: int) -> int:
    """Return the first order behind all deliveries of the events up to this one."""
    # Each event has two halves: live deliveries in the first one, reopened ones in the second.
    return live_order(last_event_sequence, 0) + limits.DELIVERIES_PER_EVENT_MAX


def new_attempt_sid(tx: Transaction) -> str:
    """Return a new SID, greater than all earlier ones."""
    chance = tx.new_sid("")[:16]
    return f"{sids.WEBHOOK_ATTEMPT}{tx.next_sequence():016x}{chance}"


def attempt_sid_at(ms: int) -> str:
    """Return the lower bound of the SIDs of attempts from this time on."""
    return f"{sids.WEBHOOK_ATTEMPT}{ms * 1000:016x}"


async def insert_attempt(tx: Transaction, attempt: WebhookAttempt) -> None:
    """Insert an attempt into the log."""
    await tx.run(INSERT_ATTEMPT, *values_of(attempt))


async def insert_delivery(tx: Transaction, delivery: WebhookDelivery) -> None:
    """Insert a delivery as it is, without the rules of the queue (``webhook_queue.add``)."""
    await tx.run(INSERT_DELIVERY, *values_of(delivery))


async def find_attempt(tx: Transaction, scope: Scope, sid: str) -> LoggedAttempt | None:
    """Return the attempt with this SID, with its delivery."""
    row = await tx.one(FETCH, scope.account_sid, sid)
    return await _logged(tx, scope, WebhookAttempt(*row)) if row else None


async def find_delivery(
    tx: Transaction, scope: Scope, event_sequence: int, target_key: str
) -> WebhookDelivery | None:
    """Return the delivery of one event to one webhook."""
    row = await tx.one(FETCH_DELIVERY, scope.account_sid, event_sequence, target_key)
    return WebhookDelivery(*row) if row else None


async def _logged(tx: Transaction, scope: Scope, attempt: WebhookAttempt) -> LoggedAttempt:
    delivery = await find_delivery(tx, scope, attempt.event_sequence, attempt.target_key)
    return LoggedAttempt(attempt, delivery)


async def list_attempts(
    tx: Transaction, scope: Scope, filters: AttemptFilters, request: PageRequest
) -> list[LoggedAttempt]:
    """Return a page of attempts, newest first."""
    if filters.conversation_sid:
        chosen = LIST_OF_CONVERSATION
    elif filters.outcome and filters.outcome != DELIVERED:
        chosen = LIST_OF_OUTCOME
    else:
        chosen = LIST_OF_EVENT if filters.event_name else LIST
    rows = await read_window(tx, chosen, request, scope.account_sid, *filters.texts)
    return [await _logged(tx, scope, WebhookAttempt(*row)) for row in rows]


async def reopen_delivery(tx: Transaction, scope: Scope, delivery: WebhookDelivery) -> bool:
    """Make a delivery pending again, behind the others of its lane; return whether it can be.

    A delivery that is still pending becomes due now. Pre-action requests are never replayed.
    """
    key = (scope.account_sid, delivery.event_sequence, delivery.target_key)
    if delivery.state == ASKED:
        return False
    if delivery.state == PENDING:
        await tx.run(MAKE_DUE, *key, tx.now)
        return True
    last = await tx.one(LAST_IN_LANE, scope.account_sid, delivery.lane)
    order = reopened_order(await event_log.visible_through(tx))
    if last is not None:
        order = max(order, last[0] + 1)
    # tidy: dated-updates - it is the age of a row of the queue, and in no answer
    await tx.run(REOPEN, *key, order, tx.now if last is None else None, tx.now)
    return True
