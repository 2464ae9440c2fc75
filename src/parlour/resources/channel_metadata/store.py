"""Rows of channel metadata: what a channel adds to an inbound message.

Messages of SMS have none. An inbound mail has its Message-ID, which later mails of the conversation
refer to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, values_of

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class ChannelMetadata(msgspec.Struct, frozen=True):
    """The metadata of one message; ``data`` is a JSON object, ``type`` the channel."""

    account_sid: str
    conversation_sid: str
    message_sid: str
    sequence: int
    type: str
    data: str
    mail_id: str | None


INSERT = insert("channel_metadata", ChannelMetadata)
FIND = statement(
    "SELECT {columns} FROM channel_metadata WHERE account_sid = $1 AND message_sid = $2",
    ChannelMetadata,
)
DELETE_OF_MESSAGE = "DELETE FROM channel_metadata WHERE account_sid = $1 AND message_sid = $2"


async def insert_metadata(tx: Transaction, scope: Scope, metadata: ChannelMetadata) -> None:
    """Insert the metadata of a new message."""
    assert metadata.account_sid == scope.account_sid
    await tx.run(INSERT, *values_of(metadata))


async def find_metadata(tx: Transaction, scope: Scope, message_sid: str) -> ChannelMetadata | None:
    """Return the metadata of a message, or None."""
    row = await tx.one(FIND, scope.account_sid, message_sid)
    return ChannelMetadata(*row) if row else None


async def delete_metadata(tx: Transaction, scope: Scope, message_sid: str) -> int:
    """Delete the metadata of a deleted message; return the number of rows."""
    return await tx.run(DELETE_OF_MESSAGE, scope.account_sid, message_sid)
