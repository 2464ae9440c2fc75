"""Rows of conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import statement, window
from parlour.store.table import Table
from parlour.store.windows import read_window
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Conversation(msgspec.Struct, frozen=True):
    """One conversation. Dates in milliseconds since 1970 UTC.

    ``date_inactive`` and ``date_closed`` are the expiry times of its timers; ``created_order`` and
    ``last_activity`` are the sort keys of lists, in microseconds; ``removed_messages`` is how many
    of the assigned indexes have no message any more; ``pending_participants`` (JSON) are to be
    added in the background while the state is initializing.
    """

    account_sid: str
    service_sid: str
    sid: str
    sequence: int
    messaging_service_sid: str | None
    friendly_name: str | None
    unique_name: str | None
    attributes: str
    state: str
    date_created: int
    date_updated: int
    inactive_timer_seconds: int | None
    closed_timer_seconds: int | None
    date_inactive: int | None
    date_closed: int | None
    email_address: str | None
    email_name: str | None
    created_by: str
    next_message_index: int
    removed_messages: int
    created_order: int
    last_activity: int
    pending_participants: str | None


TABLE = Table("conversation", Conversation, key=("account_sid", "service_sid", "sid"))
insert_conversation = TABLE.inserter()
find_conversation = TABLE.finder("FOR UPDATE")
update_conversation_row = TABLE.updater()
# The columns that a message changes while the state stays: no index on names or states is written.
update_conversation_after_message = TABLE.changes_updater(
    "next_message_index", "last_activity", "date_inactive", "date_closed"
)
delete_conversation_row = TABLE.deleter()
FETCH_BY_UNIQUE_NAME = statement(
    "SELECT {columns} FROM conversation"
    " WHERE account_sid = $1 AND service_sid = $2 AND unique_name = $3 FOR UPDATE",
    Conversation,
)
INCREMENT_REMOVED_MESSAGES = """
UPDATE conversation SET removed_messages = removed_messages + 1
 WHERE account_sid = $1 AND service_sid = $2 AND sid = $3
"""
FIND_SID = """
SELECT sid FROM conversation WHERE account_sid = $1 AND sid = $3 AND service_sid = $2 FOR UPDATE
"""
FIND_SID_BY_UNIQUE_NAME = """
SELECT sid FROM conversation
 WHERE account_sid = $1 AND service_sid = $2 AND unique_name = $3 FOR UPDATE
"""
LIST_BY_ACTIVITY = window(
    "SELECT {columns} FROM conversation WHERE account_sid = $1 AND service_sid = $2",
    Conversation,
    order="last_activity",
    arguments=2,
    descending=True,
)
LIST_BY_DATE = window(
    "SELECT {columns} FROM conversation WHERE account_sid = $1 AND service_sid = $2"
    " AND created_order >= $3 AND created_order < $4",
    Conversation,
    order="created_order",
    arguments=4,
    descending=True,
)
LIST_BY_STATE = window(
    "SELECT {columns} FROM conversation WHERE account_sid = $1 AND service_sid = $2"
    " AND state = $3 AND created_order >= $4 AND created_order < $5",
    Conversation,
    order="created_order",
    arguments=5,
    descending=True,
)
# Each half has its own LIMIT, so that a large backlog of due timers is not read as a whole.
LIST_DUE = statement(
    # tidy: account-in-sql - used by the scheduler only, for every account
    "SELECT * FROM (SELECT {columns} FROM conversation"
    " WHERE date_inactive <= $1 ORDER BY date_inactive LIMIT $2) AS soon"
    " UNION SELECT * FROM (SELECT {columns} FROM conversation"
    " WHERE date_closed <= $1 ORDER BY date_closed LIMIT $2) AS ended",
    Conversation,
)
# tidy: account-in-sql - as above
NEXT_DUE = """
SELECT (SELECT MIN(date_inactive) FROM conversation WHERE date_inactive IS NOT NULL),
       (SELECT MIN(date_closed) FROM conversation WHERE date_closed IS NOT NULL)
"""
LIST_BY_INACTIVE_TIMER = statement(
    # tidy: account-in-sql - as above
    "SELECT {columns} FROM conversation WHERE date_inactive >= $1"
    " AND (date_inactive > $1 OR sid > $2) ORDER BY date_inactive, sid LIMIT $3",
    Conversation,
)
LIST_BY_CLOSED_TIMER = statement(
    # tidy: account-in-sql - as above
    "SELECT {columns} FROM conversation WHERE date_closed >= $1"
    " AND (date_closed > $1 OR sid > $2) ORDER BY date_closed, sid LIMIT $3",
    Conversation,
)
LIST_PENDING = statement(
    # tidy: account-in-sql - as above
    "SELECT {columns} FROM conversation WHERE pending_participants IS NOT NULL"
    " AND account_sid NOT IN ({skipped}) ORDER BY sequence LIMIT $1",
    Conversation,
    skipped=", ".join(f"${2 + number}" for number in range(limits.PENDING_ACCOUNTS_SKIPPED_MAX)),
)


async def find_conversation_by_unique_name(
    tx: Transaction, scope: Scope, unique_name: str
) -> Conversation | None:
    """Return the conversation with this unique name, or None."""
    row = await tx.one(FETCH_BY_UNIQUE_NAME, scope.account_sid, scope.service_sid, unique_name)
    return Conversation(*row) if row else None


async def find_conversation_sid(tx: Transaction, scope: Scope, sid: str) -> str | None:
    """Return the sid itself if the service has this conversation, else None."""
    row = await tx.one(FIND_SID, scope.account_sid, scope.service_sid, sid)
    return row[0] if row else None


async def find_conversation_sid_by_unique_name(
    tx: Transaction, scope: Scope, unique_name: str
) -> str | None:
    """Return the sid of the conversation with this unique name, or None."""
    row = await tx.one(FIND_SID_BY_UNIQUE_NAME, scope.account_sid, scope.service_sid, unique_name)
    return row[0] if row else None


async def increment_removed_messages(tx: Transaction, scope: Scope, sid: str) -> None:
    """Count a deleted message; the number of unread messages is computed from it."""
    count = await tx.run(INCREMENT_REMOVED_MESSAGES, scope.account_sid, scope.service_sid, sid)
    assert count == 1, sid


async def list_conversations_by_activity(
    tx: Transaction, scope: Scope, request: PageRequest
) -> list[Conversation]:
    """Return the service's conversations, by last activity in descending order."""
    rows = await read_window(tx, LIST_BY_ACTIVITY, request, scope.account_sid, scope.service_sid)
    return [Conversation(*row) for row in rows]


async def list_conversations_by_date(
    tx: Transaction,
    scope: Scope,
    request: PageRequest,
    *,
    state: str | None,
    since_ms: int,
    until_ms: int,
) -> list[Conversation]:
    """Return the service's conversations created in [since, until), newest first."""
    arguments: tuple[object, ...] = (since_ms * 1000, until_ms * 1000)
    if state is not None:
        arguments = (state, *arguments)
    listing = LIST_BY_DATE if state is None else LIST_BY_STATE
    rows = await read_window(tx, listing, request, scope.account_sid, scope.service_sid, *arguments)
    return [Conversation(*row) for row in rows]


# tidy: scope-first - the scheduler works for every account
async def list_due_conversations(tx: Transaction, now_ms: int, count: int) -> list[Conversation]:
    """Return conversations of any account with an expired timer, up to a number for each timer."""
    return [Conversation(*row) for row in await tx.all(LIST_DUE, now_ms, count)]


# tidy: scope-first - as above
async def next_timer_ms(tx: Transaction) -> int | None:
    """Return when the next timer of any account expires."""
    row = await tx.one(NEXT_DUE)
    assert row is not None
    return min((timer_ms for timer_ms in row if timer_ms is not None), default=None)


# tidy: scope-first - as above
async def list_conversations_by_timer(
    tx: Transaction, listing: str, after: tuple[int, str], count: int
) -> list[Conversation]:
    """Return conversations of any account after a date and sid, ordered by one of their timers."""
    return [Conversation(*row) for row in await tx.all(listing, *after, count)]


# tidy: scope-first - as above
async def list_pending_conversations(
    tx: Transaction, count: int, skipped: Sequence[str] = ()
) -> list[Conversation]:
    """Return conversations with pending participants, of any account that is not skipped."""
    size = limits.PENDING_ACCOUNTS_SKIPPED_MAX
    padded = [*skipped[:size], *[""] * (size - len(skipped))]
    return [Conversation(*row) for row in await tx.all(LIST_PENDING, count, *padded)]
