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
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.store.webhook_queue import WebhookDelivery
    from parlour.vocabulary.scope import Scope


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
