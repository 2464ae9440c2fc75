"""Deliveries and attempts as rows: what was to be told to whom, and what each request came to.

Attempts have sids that grow with time (microseconds in hexadecimal, then chance), so a date is a
place in the list.
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
"""What an attempt can come to.

``delivered``: taken (2xx). ``retrying``: failed, and another one follows. ``failed``: failed, and
none follows. ``stopped``: 410, or its webhook was removed. ``dropped``: no request was made, there
were too many waiting. ``rejected``: a pre-action webhook refused the action. ``unreadable``: no
request was made, the event in the log cannot be read by this version.
"""

STATES: Final = (PENDING, DELIVERED, FAILED, STOPPED, DROPPED, ASKED)
"""What a delivery can be in; ``asked`` is the request of a pre-action webhook."""


class WebhookDelivery(msgspec.Struct, frozen=True):
    """One event for one webhook. The order of the fields is that of ``webhook_queue.ADD``."""

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
    """One request. ``next_attempt_ms`` is set while another one follows."""

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
    """Which attempts are meant; empty texts mean any. The sids are bounds in time."""

    conversation_sid: str = ""
    event_name: str = ""
    outcome: str = ""
    from_sid: str = ""
    before_sid: str = "~"

    @property
    def texts(self) -> tuple[str, ...]:
        """The arguments of a list's statement, after the account."""
        return msgspec.structs.astuple(self)


class LoggedAttempt(msgspec.Struct, frozen=True):
    """An attempt with the request it made; None when that is too old to be kept."""

    attempt: WebhookAttempt
    delivery: WebhookDelivery | None

    @property
    def sid(self) -> str:
        """The attempt's sid."""
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
# One list for each index that may serve it: the conversation says most, then the outcome.
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
    """The place in its lane of one delivery of an event: by events, then as they were made."""
    assert 0 <= part < limits.DELIVERIES_PER_EVENT_MAX
    return event_sequence * 2 * limits.DELIVERIES_PER_EVENT_MAX + part


def reopened_order(last_event_sequence: int) -> int:
    """The first place behind all deliveries of the events up to this one."""
    return live_order(last_event_sequence, 0) + limits.DELIVERIES_PER_EVENT_MAX


def new_attempt_sid(tx: Transaction) -> str:
    """A sid that is greater than all before it."""
    chance = tx.new_sid("")[:16]
    return f"{sids.WEBHOOK_ATTEMPT}{tx.next_sequence():016x}{chance}"


def attempt_sid_at(ms: int) -> str:
    """Where a moment is among the sids: attempts from then on are not below."""
    return f"{sids.WEBHOOK_ATTEMPT}{ms * 1000:016x}"


async def insert_attempt(tx: Transaction, attempt: WebhookAttempt) -> None:
    """Keep what an attempt came to."""
    await tx.run(INSERT_ATTEMPT, *values_of(attempt))


async def insert_delivery(tx: Transaction, delivery: WebhookDelivery) -> None:
    """Keep a request as it is; nothing follows from it."""
    await tx.run(INSERT_DELIVERY, *values_of(delivery))


async def find_attempt(tx: Transaction, scope: Scope, sid: str) -> LoggedAttempt | None:
    """One attempt of the account."""
    row = await tx.one(FETCH, scope.account_sid, sid)
    return await _logged(tx, scope, WebhookAttempt(*row)) if row else None


async def find_delivery(
    tx: Transaction, scope: Scope, event_sequence: int, target_key: str
) -> WebhookDelivery | None:
    """The delivery of one event to one webhook."""
    row = await tx.one(FETCH_DELIVERY, scope.account_sid, event_sequence, target_key)
    return WebhookDelivery(*row) if row else None


async def _logged(tx: Transaction, scope: Scope, attempt: WebhookAttempt) -> LoggedAttempt:
    delivery = await find_delivery(tx, scope, attempt.event_sequence, attempt.target_key)
    return LoggedAttempt(attempt, delivery)


async def list_attempts(
    tx: Transaction, scope: Scope, filters: AttemptFilters, request: PageRequest
) -> list[LoggedAttempt]:
    """Attempts, newest first."""
    if filters.conversation_sid:
        chosen = LIST_OF_CONVERSATION
    elif filters.outcome and filters.outcome != DELIVERED:
        chosen = LIST_OF_OUTCOME
    else:
        chosen = LIST_OF_EVENT if filters.event_name else LIST
    rows = await read_window(tx, chosen, request, scope.account_sid, *filters.texts)
    return [await _logged(tx, scope, WebhookAttempt(*row)) for row in rows]


async def reopen_delivery(tx: Transaction, scope: Scope, delivery: WebhookDelivery) -> bool:
    """Deliver once more, behind what waits for the same webhook; whether that can be done.

    One that is pending anyway is tried at once. A pre-action webhook is never asked again.
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
