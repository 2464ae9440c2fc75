"""Media as rows: what was uploaded, and which message carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import statement

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Media(msgspec.Struct, frozen=True):
    """One uploaded medium. ``message_sid`` is None until a message carries it; size in bytes."""

    account_sid: str
    service_sid: str
    sid: str
    message_sid: str | None
    size: int
    content_type: str
    filename: str | None
    category: str
    author: str | None
    date_created: int
    date_updated: int


FETCH = statement(
    "SELECT {columns} FROM media WHERE account_sid = $1 AND sid = $3 AND service_sid = $2", Media
)
ATTACH = """
UPDATE media SET message_sid = $4, date_updated = $5
 WHERE account_sid = $1 AND service_sid = $2 AND sid = $3 AND message_sid IS NULL
"""
DELETE_OF_MESSAGE = "DELETE FROM media WHERE account_sid = $1 AND message_sid = $2"


async def find(tx: Transaction, scope: Scope, sid: str) -> Media | None:
    """The medium with this sid, if the service has it."""
    row = await tx.one(FETCH, scope.account_sid, scope.service_sid, sid)
    return Media(*row) if row else None


async def attach(tx: Transaction, scope: Scope, sid: str, message_sid: str) -> None:
    """Give a medium to the one message that carries it."""
    count = await tx.run(ATTACH, scope.account_sid, scope.service_sid, sid, message_sid, tx.now)
    assert count == 1, sid


async def remove_of_message(tx: Transaction, scope: Scope, message_sid: str) -> int:
    """Delete what a message carried; how many that was."""
    return await tx.run(DELETE_OF_MESSAGE, scope.account_sid, message_sid)
