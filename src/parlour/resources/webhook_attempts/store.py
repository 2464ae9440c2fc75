"""Rows of the webhook log: the attempts of deliveries, each with or without a request.

SIDs of attempts ascend with time (microseconds in hexadecimal, then random digits), so a date is a
position in the list.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store import webhook_queue
from parlour.store.statements import statement, values_of, window
from parlour.store.table import Table
from parlour.store.windows import read_window
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.store.webhook_queue import WebhookDelivery
    from parlour.vocabulary.event import Event
    from parlour.vocabulary.scope import Scope


_ANY_LATER: Final = "~"
_RECORDED_WITHIN_MS: Final = 60_000
"""SIDs of attempts and the dates of their deliveries are of one transaction, or nearly so."""


class LoggedOutcome(StrEnum):
    """The outcome of an attempt; a value is the text in the column."""

    # delivered    2xx
    # retrying     failed, and a retry follows
    # failed       failed, and no retry follows
    # stopped      410, or the webhook was removed
    # dropped      no request was made, as too many deliveries were pending
    # rejected     a pre-action webhook rejected the action
    # unreadable   no request was made, as this version cannot decode the event

    DELIVERED = "delivered"
    RETRYING = "retrying"
    FAILED = "failed"
    STOPPED = "stopped"
    DROPPED = "dropped"
    REJECTED = "rejected"
    UNREADABLE = "unreadable"


OUTCOMES: Final = tuple(each.value for each in LoggedOutcome)
"""The texts of the outcomes."""


class WebhookAttempt(msgspec.Struct, frozen=True):
    """One request. ``next_attempt_ms`` is set if a retry follows."""

    account_sid: str
    sid: str
    event_sequence: int
    target_key: str
    conversation_sid: str
    event_name: str
    outcome: str
    date_created: int
    retry_count: int = 0
    status: int | None = None
    error_code: int | None = None
    error: str | None = None
    elapsed_ms: int = 0
    answer: str = ""
    next_attempt_ms: int | None = None


class AttemptFilters(msgspec.Struct, frozen=True):
    """Filters of attempts; an empty text matches any. The SIDs are bounds in time."""

    conversation_sid: str = ""
    event_name: str = ""
    outcome: str = ""
    from_sid: str = ""
    before_sid: str = _ANY_LATER

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the arguments of a list's statement, after the account."""
        return msgspec.structs.astuple(self)


class DeliveryKey(msgspec.Struct, frozen=True):
    """The deliveries of one event, or the one of a target, and when attempts of them were made.

    The times bound how many attempts of the conversation are read to find theirs.
    """

    event_sequence: int
    target_key: str
    conversation_sid: str
    from_sid: str = ""
    before_sid: str = _ANY_LATER


class LoggedAttempt(msgspec.Struct, frozen=True):
    """An attempt with its delivery; None if that was deleted by the retention job."""

    attempt: WebhookAttempt
    delivery: WebhookDelivery | None
    request_sid: str | None = None
    """The request that caused the event; None if none did, or if the event is deleted."""
    event_cursor: str | None = None
    """The cursor of the event in the feed; None for a pre-action webhook."""
    attempts_max: int | None = None
    """The number of attempts that the schedule makes; None if the URL has its own."""

    @property
    def sid(self) -> str:
        """Return the SID of the attempt."""
        return self.attempt.sid


TABLE = Table("webhook_attempt", WebhookAttempt, key=("account_sid", "sid"))
_find = TABLE.finder()

# Not derived from the table: a result whose commit outcome is unknown is written again.
INSERT_ATTEMPT = statement(
    "INSERT INTO webhook_attempt ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING",
    WebhookAttempt,
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
# Between the first and the last attempt of a delivery its lane makes no other attempt.
LIST_OF_DELIVERIES = window(
    "SELECT {columns} FROM webhook_attempt WHERE account_sid = $1 AND conversation_sid = $2"
    " AND ($3 = '' OR event_name = $3) AND ($4 = '' OR outcome = $4) AND sid >= $5 AND sid < $6"
    " AND event_sequence = $7 AND ($8 = '' OR target_key = $8)",
    WebhookAttempt,
    order="sid",
    arguments=8,
    descending=True,
)
# URLs are in the deliveries only.
LIST_OF_URL = window(
    statement(
        "SELECT {columns} FROM (SELECT {columns} FROM webhook_attempt WHERE account_sid = $1"
        " AND sid >= $5 AND sid < $6 ORDER BY sid DESC LIMIT {most}) AS recent"
        " WHERE ($2 = '' OR conversation_sid = $2) AND ($3 = '' OR event_name = $3)"
        " AND ($4 = '' OR outcome = $4) AND EXISTS (SELECT 1 FROM webhook_delivery"
        " WHERE webhook_delivery.account_sid = $1"
        " AND webhook_delivery.event_sequence = recent.event_sequence"
        " AND webhook_delivery.target_key = recent.target_key AND webhook_delivery.url = $7)",
        WebhookAttempt,
        most=str(limits.ATTEMPTS_SEARCHED_MAX),
    ),
    WebhookAttempt,
    order="sid",
    arguments=7,
    descending=True,
)


def new_attempt_sid(tx: Transaction) -> str:
    """Return a new SID, greater than all earlier ones."""
    chance = tx.new_sid("")[:16]
    return f"{sids.WEBHOOK_ATTEMPT}{tx.next_sequence():016x}{chance}"


def attempt_sid_at(ms: int) -> str:
    """Return the lower bound of the SIDs of attempts from this time on."""
    return f"{sids.WEBHOOK_ATTEMPT}{ms * 1000:016x}"


def attempt_of(
    delivery: WebhookDelivery,
    sid: str,
    outcome: LoggedOutcome,
    date_created: int,
    *,
    status: int | None = None,
    error_code: int | None = None,
    error: str | None = None,
    elapsed_ms: int = 0,
    answer: str = "",
    next_attempt_ms: int | None = None,
) -> WebhookAttempt:
    """Return the next attempt of a delivery, with the result of its request if one was made."""
    return WebhookAttempt(
        account_sid=delivery.account_sid,
        sid=sid,
        event_sequence=delivery.event_sequence,
        target_key=delivery.target_key,
        conversation_sid=delivery.conversation_sid,
        event_name=delivery.event_name,
        outcome=outcome,
        date_created=date_created,
        retry_count=delivery.retry_count,
        status=status,
        error_code=error_code,
        error=error,
        elapsed_ms=elapsed_ms,
        answer=answer,
        next_attempt_ms=next_attempt_ms,
    )


async def insert_attempt(tx: Transaction, attempt: WebhookAttempt) -> None:
    """Insert an attempt into the log, if its SID is not there yet."""
    await tx.run(INSERT_ATTEMPT, *values_of(attempt))


async def find_attempt(tx: Transaction, scope: Scope, sid: str) -> LoggedAttempt | None:
    """Return the attempt with this SID, with its delivery."""
    attempt = await _find(tx, scope, sid)
    return await _logged(tx, scope, attempt) if attempt else None


async def _logged(tx: Transaction, scope: Scope, attempt: WebhookAttempt) -> LoggedAttempt:
    key = (attempt.event_sequence, attempt.target_key)
    return LoggedAttempt(attempt, await webhook_queue.find_delivery(tx, scope, *key))


async def find_delivery_key(tx: Transaction, scope: Scope, sid: str) -> DeliveryKey | None:
    """Return the key of the delivery of an attempt."""
    logged = await find_attempt(tx, scope, sid)
    if logged is None:
        return None
    attempt = logged.attempt
    delivery = logged.delivery
    is_ended = delivery is not None and delivery.state != webhook_queue.DeliveryState.PENDING
    return DeliveryKey(
        attempt.event_sequence,
        attempt.target_key,
        attempt.conversation_sid,
        before_sid=_sid_after(delivery.date_updated if delivery and is_ended else None),
    )


async def find_event_key(tx: Transaction, scope: Scope, event: Event) -> DeliveryKey:
    """Return the key of the deliveries of an event."""
    end_ms = await webhook_queue.end_of_event(tx, scope, event.sequence)
    return DeliveryKey(
        event.sequence,
        "",
        event.conversation_sid,
        from_sid=attempt_sid_at(event.date_ms),
        before_sid=_sid_after(end_ms),
    )


def _sid_after(end_ms: int | None) -> str:
    """Return the upper bound of the SIDs of attempts of deliveries that ended at a date."""
    return _ANY_LATER if end_ms is None else attempt_sid_at(end_ms + _RECORDED_WITHIN_MS)


async def list_attempts_of(
    tx: Transaction, scope: Scope, filters: AttemptFilters, key: DeliveryKey, request: PageRequest
) -> list[LoggedAttempt]:
    """Return a page of the attempts of one delivery or one event, newest first."""
    narrowed = msgspec.structs.replace(
        filters,
        conversation_sid=key.conversation_sid,
        from_sid=max(filters.from_sid, key.from_sid),
        before_sid=min(filters.before_sid, key.before_sid),
    )
    keys = (key.event_sequence, key.target_key)
    rows = await read_window(
        tx, LIST_OF_DELIVERIES, request, scope.account_sid, *narrowed.texts, *keys
    )
    return [await _logged(tx, scope, WebhookAttempt(*row)) for row in rows]


async def list_attempts_of_url(
    tx: Transaction, scope: Scope, filters: AttemptFilters, url: str, request: PageRequest
) -> list[LoggedAttempt]:
    """Return a page of the attempts of one URL, newest first, of ATTEMPTS_SEARCHED_MAX."""
    rows = await read_window(tx, LIST_OF_URL, request, scope.account_sid, *filters.texts, url)
    return [await _logged(tx, scope, WebhookAttempt(*row)) for row in rows]


async def list_attempts(
    tx: Transaction, scope: Scope, filters: AttemptFilters, request: PageRequest
) -> list[LoggedAttempt]:
    """Return a page of attempts, newest first."""
    if filters.conversation_sid:
        chosen = LIST_OF_CONVERSATION
    elif filters.outcome and filters.outcome != LoggedOutcome.DELIVERED:
        chosen = LIST_OF_OUTCOME
    else:
        chosen = LIST_OF_EVENT if filters.event_name else LIST
    rows = await read_window(tx, chosen, request, scope.account_sid, *filters.texts)
    return [await _logged(tx, scope, WebhookAttempt(*row)) for row in rows]
