"""Delivery receipts as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import window
from parlour.store.table import Table
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Receipt(msgspec.Struct, frozen=True):
    """The delivery of one message to one recipient.

    ``status`` is None until the first report: until then the row is hidden from readers of the API
    (``LIST``, ``is_visible``).
    ``error_code`` is 0 without an error. Dates in milliseconds since 1970 UTC.
    """

    account_sid: str
    service_sid: str
    conversation_sid: str
    message_sid: str
    sid: str
    sequence: int
    participant_sid: str
    channel_message_sid: str | None
    status: str | None
    error_code: int
    date_created: int
    date_updated: int

    @property
    def is_visible(self) -> bool:
        """Whether the receipt has had its first status."""
        return self.status is not None


TABLE = Table("receipt", Receipt, key=("account_sid", "service_sid", "sid"))
insert_receipt = TABLE.inserter()
find_receipt = TABLE.finder()
"""Returns receipts without a status too."""
delete_receipt = TABLE.deleter()
update_receipt_row = TABLE.changes_updater(
    "channel_message_sid", "status", "error_code", "date_updated"
)
LIST = window(
    "SELECT {columns} FROM receipt WHERE account_sid = $1 AND message_sid = $2"
    " AND status IS NOT NULL",
    Receipt,
    order="sequence",
    arguments=2,
)
# Locking the conversation serializes its reports with all other changes in it.
LOCK_CONVERSATION = """
SELECT sid FROM conversation WHERE account_sid = $1 AND service_sid = $2 AND sid = (
    SELECT conversation_sid FROM receipt WHERE account_sid = $1 AND service_sid = $2 AND sid = $3
) FOR UPDATE
"""
DELETE_OF_MESSAGE = "DELETE FROM receipt WHERE account_sid = $1 AND message_sid = $2"


async def lock_conversation_of_receipt(tx: Transaction, scope: Scope, sid: str) -> bool:
    """Lock the receipt's conversation; return whether it exists."""
    row = await tx.one(LOCK_CONVERSATION, scope.account_sid, scope.service_sid, sid)
    return row is not None


async def list_receipts(
    tx: Transaction, scope: Scope, message_sid: str, request: PageRequest
) -> list[Receipt]:
    """Return the message's visible receipts, oldest first."""
    rows = await read_window(tx, LIST, request, scope.account_sid, message_sid)
    return [Receipt(*row) for row in rows]


async def delete_receipts_of_message(tx: Transaction, scope: Scope, message_sid: str) -> int:
    """Delete the receipts of a message; return the number of rows."""
    return await tx.run(DELETE_OF_MESSAGE, scope.account_sid, message_sid)
