"""Media as rows: the uploaded file, and the message it is attached to.

Deletion marks the row (a tombstone), which hides the medium. The row is deleted after its file, so
that a crash never leaks a file (garbage_collection.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import statement
from parlour.store.table import Table
from parlour.vocabulary.dates import updated_at

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Media(msgspec.Struct, frozen=True):
    """One uploaded medium. ``message_sid`` is None until a message carries it; size in bytes.

    ``author`` is the identity that uploaded it, None for the account itself. ``content`` is
    the text of a medium that the server generated; None: the bytes are a blob.
    """

    account_sid: str
    service_sid: str
    sid: str
    message_sid: str | None
    size: int
    content_type: str
    filename: str | None
    category: str
    author: str | None
    content: str | None
    date_created: int
    date_updated: int


def new_media(
    tx: Transaction,
    scope: Scope,
    sid: str,
    *,
    size: int,
    content_type: str,
    filename: str | None,
    category: str,
    author: str | None = None,
    content: str | None = None,
) -> Media:
    """Return the record of a new medium without a message; members as in `Media`."""
    return Media(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        sid=sid,
        message_sid=None,
        size=size,
        content_type=content_type,
        filename=filename,
        category=category,
        author=author,
        content=content,
        date_created=tx.now,
        date_updated=tx.now,
    )


TABLE = Table("media", Media, key=("account_sid", "service_sid", "sid"))
insert_media = TABLE.inserter()
FETCH = statement(
    "SELECT {columns} FROM media WHERE account_sid = $1 AND sid = $3 AND service_sid = $2"
    " AND is_removed = 0 FOR UPDATE",
    Media,
)
CONVERSATION_OF = """
SELECT conversation.sid
  FROM message JOIN conversation
    ON conversation.account_sid = $1 AND conversation.sid = message.conversation_sid
 WHERE message.account_sid = $1 AND message.sid = $2 AND message.service_sid = $3
"""
UNATTACHED = """
SELECT COUNT(*), COALESCE(SUM(size), 0) FROM media
 WHERE account_sid = $1 AND service_sid = $2 AND author = $3
   AND message_sid IS NULL AND is_removed = 0
"""
ATTACH = """
UPDATE media SET message_sid = $4, date_updated = $5
 WHERE account_sid = $1 AND service_sid = $2 AND sid = $3 AND message_sid IS NULL
   AND is_removed = 0
"""
REMOVE_OF_MESSAGE = """
UPDATE media SET is_removed = 1 WHERE account_sid = $1 AND message_sid = $2 AND is_removed = 0
"""


async def find_media(tx: Transaction, scope: Scope, sid: str) -> Media | None:
    """Return the medium with this SID; None if the service has none."""
    row = await tx.one(FETCH, scope.account_sid, scope.service_sid, sid)
    return Media(*row) if row else None


async def find_conversation_sid_of_message(
    tx: Transaction, scope: Scope, message_sid: str
) -> str | None:
    """Return the SID of a message's conversation; None if either is deleted."""
    row = await tx.one(CONVERSATION_OF, scope.account_sid, message_sid, scope.service_sid)
    return row[0] if row else None


async def count_unattached_media(tx: Transaction, scope: Scope, author: str) -> tuple[int, int]:
    """Return the number of a user's media without a message, and their total size."""
    row = await tx.one(UNATTACHED, scope.account_sid, scope.service_sid, author)
    assert row is not None
    return int(row[0]), int(row[1])


async def attach_media(tx: Transaction, scope: Scope, medium: Media, message_sid: str) -> None:
    """Attach a medium to its message; it must not have one yet."""
    updated = updated_at(tx.now, created_ms=medium.date_created, updated_ms=medium.date_updated)
    key = (scope.account_sid, scope.service_sid, medium.sid)
    count = await tx.run(ATTACH, *key, message_sid, updated)
    assert count == 1, medium.sid


async def mark_media_of_message_removed(tx: Transaction, scope: Scope, message_sid: str) -> int:
    """Mark the media of a message as deleted; return their number."""
    return await tx.run(REMOVE_OF_MESSAGE, scope.account_sid, message_sid)
