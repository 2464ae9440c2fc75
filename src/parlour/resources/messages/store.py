"""Rows of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import assignments, statement, values_of, window
from parlour.store.table import ChildTable
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Message(msgspec.Struct, frozen=True):
    """One message. Dates in milliseconds since 1970 UTC.

    ``media`` is a JSON array or None. ``receipts_total`` is the number of recipients outside the
    chat; the other counters are the numbers of receipts that have reached a status.
    """

    account_sid: str
    service_sid: str
    conversation_sid: str
    sid: str
    message_index: int
    author: str
    participant_sid: str | None
    body: str | None
    subject: str | None
    attributes: str
    media: str | None
    content_sid: str | None
    content_variables: str | None
    source: str
    last_updated_by: str | None
    receipts_total: int
    receipts_sent: int
    receipts_delivered: int
    receipts_read: int
    receipts_failed: int
    receipts_undelivered: int
    date_created: int
    date_updated: int


class ReceiptCounts(msgspec.Struct, frozen=True):
    """The number of a message's receipts, and how many have reached each status."""

    receipts_total: int
    receipts_sent: int
    receipts_delivered: int
    receipts_read: int
    receipts_failed: int
    receipts_undelivered: int


TABLE = ChildTable(
    "message", Message, key=("account_sid", "conversation_sid", "sid"), order="message_index"
)
insert_message = TABLE.inserter()
find_message = TABLE.finder()
# The indexed column is part of the key, so that the update writes no index.
update_message_row = TABLE.updater(key=(*TABLE.key, "message_index"))
delete_message_row = TABLE.deleter()
_ALL = "SELECT {columns} FROM message WHERE account_sid = $1 AND conversation_sid = $2"
LIST_ASCENDING = window(_ALL, Message, order="message_index", arguments=2)
LIST_DESCENDING = window(_ALL, Message, order="message_index", arguments=2, descending=True)
LIST_BETWEEN = statement(
    "SELECT {columns} FROM message WHERE account_sid = $1 AND conversation_sid = $2"
    " AND message_index >= $3 AND message_index < $4 ORDER BY message_index LIMIT $5",
    Message,
)
# In either direction from an index that need not exist.
LIST_FROM_INDEX = statement(
    _ALL + " AND message_index >= $3 ORDER BY message_index LIMIT $4", Message
)
LIST_FROM_INDEX_DOWN = statement(
    _ALL + " AND message_index <= $3 ORDER BY message_index DESC LIMIT $4", Message
)
FETCH_LAST = """
SELECT message_index, date_created FROM message
 WHERE account_sid = $1 AND conversation_sid = $2 ORDER BY message_index DESC LIMIT 1
"""
FETCH_COUNTS = statement(
    "SELECT message_index, {columns} FROM message WHERE account_sid = $1 AND sid = $2"
    " AND EXISTS (SELECT 1 FROM conversation"
    " WHERE conversation.account_sid = $1 AND conversation.sid = message.conversation_sid)",
    ReceiptCounts,
)
UPDATE_RECEIPT_COUNTS = statement(
    "UPDATE message SET {changes} WHERE account_sid = $1 AND sid = $2",
    changes=assignments(ReceiptCounts, first=3),
)


async def list_messages(
    tx: Transaction,
    scope: Scope,
    conversation_sid: str,
    request: PageRequest,
    *,
    descending: bool,
) -> list[Message]:
    """Return the conversation's messages by index."""
    listing = LIST_DESCENDING if descending else LIST_ASCENDING
    rows = await read_window(tx, listing, request, scope.account_sid, conversation_sid)
    return [Message(*row) for row in rows]


async def list_messages_between(
    tx: Transaction, scope: Scope, conversation_sid: str, first: int, end: int, count: int
) -> list[Message]:
    """Return the conversation's messages with indexes in [first, end), up to a number."""
    rows = await tx.all(LIST_BETWEEN, scope.account_sid, conversation_sid, first, end, count)
    return [Message(*row) for row in rows]


async def list_messages_from_index(
    tx: Transaction,
    scope: Scope,
    conversation_sid: str,
    index: int,
    count: int,
    *,
    descending: bool,
) -> list[Message]:
    """Return messages starting at an index, in ascending or descending order."""
    listing = LIST_FROM_INDEX_DOWN if descending else LIST_FROM_INDEX
    rows = await tx.all(listing, scope.account_sid, conversation_sid, index, count)
    return [Message(*row) for row in rows]


async def find_last_message(
    tx: Transaction, scope: Scope, conversation_sid: str
) -> tuple[int, int] | None:
    """Return the index and the date of the newest message, if there is one."""
    row = await tx.one(FETCH_LAST, scope.account_sid, conversation_sid)
    return (row[0], row[1]) if row else None


async def find_receipt_counts(
    tx: Transaction, scope: Scope, sid: str
) -> tuple[int, ReceiptCounts] | None:
    """Return a message's index and receipt counts; None if it or its conversation is deleted."""
    row = await tx.one(FETCH_COUNTS, scope.account_sid, sid)
    return (row[0], ReceiptCounts(*row[1:])) if row else None


async def update_receipt_counts(
    tx: Transaction, scope: Scope, sid: str, counts: ReceiptCounts
) -> None:
    """Write how many receipts have reached each status."""
    count = await tx.run(UPDATE_RECEIPT_COUNTS, scope.account_sid, sid, *values_of(counts))
    assert count == 1, sid
