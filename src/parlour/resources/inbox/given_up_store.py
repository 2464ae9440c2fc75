"""Rows of inbound messages that the server could not process, until they expire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.inbox.store import InboxEntry
from parlour.store.statements import statement
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

LIST_BEFORE = statement(
    "SELECT {columns} FROM inbox WHERE account_sid = $1 AND sequence < $2"
    " AND state = 'done' AND content IS NOT NULL ORDER BY sequence DESC LIMIT $3",
    InboxEntry,
)
LOCK_BETWEEN = statement(
    "SELECT {columns} FROM inbox WHERE account_sid = $1 AND sequence > $2 AND sequence < $3"
    " AND state = 'done' AND content IS NOT NULL ORDER BY sequence LIMIT $4 FOR UPDATE",
    InboxEntry,
)
LOCK_BY_SID = statement(
    "SELECT {columns} FROM inbox WHERE account_sid = $1 AND channel_message_sid = $2"
    " AND state = 'done' AND content IS NOT NULL ORDER BY sequence LIMIT $3 FOR UPDATE",
    InboxEntry,
)


async def list_given_up(
    tx: Transaction, scope: Scope, before_sequence: int, most: int
) -> list[InboxEntry]:
    """Return messages with a smaller sequence, newest first."""
    rows = await tx.all(LIST_BEFORE, scope.account_sid, before_sequence, most)
    return [InboxEntry(*row) for row in rows]


async def lock_given_up(
    tx: Transaction, scope: Scope, after_sequence: int, before_sequence: int
) -> list[InboxEntry]:
    """Return the next messages between two sequences, oldest first: INBOX_REPLAYED_PER_STEP_MAX."""
    bounds = (after_sequence, before_sequence, limits.INBOX_REPLAYED_PER_STEP_MAX)
    rows = await tx.all(LOCK_BETWEEN, scope.account_sid, *bounds)
    return [InboxEntry(*row) for row in rows]


async def lock_given_up_by_sid(tx: Transaction, scope: Scope, sid: str) -> list[InboxEntry]:
    """Return the messages with a channel message SID: several if carriers use the same one."""
    most = limits.INBOX_REPLAYED_PER_STEP_MAX
    rows = await tx.all(LOCK_BY_SID, scope.account_sid, sid, most)
    return [InboxEntry(*row) for row in rows]
