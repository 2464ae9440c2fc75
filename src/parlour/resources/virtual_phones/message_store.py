"""Rows of the messages of virtual phones, and of the phones' own copies of media."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store.statements import statement, window
from parlour.store.table import ChildTable, Table
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

RECEIVED: Final = "received"
SENT: Final = "sent"
DIRECTIONS: Final = (RECEIVED, SENT)


class PhoneMedium(msgspec.Struct, frozen=True):
    """The description of a medium in its message. ``size`` in bytes."""

    sid: str
    content_type: str
    size: int
    filename: str | None


class VirtualPhoneMessage(msgspec.Struct, frozen=True):
    """One message of a phone, received or sent.

    ``recipients`` and ``members`` (of a group, None otherwise) are JSON arrays of addresses,
    ``media`` is one of `PhoneMedium`. ``size`` counts body and media, in bytes. ``is_held`` is 1
    while the phone is off. Only a sent message has ``outcome`` and ``reason``.
    """

    account_sid: str
    address: str
    sid: str
    sequence: int
    direction: str
    sender: str
    recipients: str
    members: str | None
    body: str | None
    media: str
    size: int
    encoding: str | None
    segments: int
    status: str
    error_code: int | None
    conversation_sid: str | None
    message_sid: str | None
    participant_sid: str | None
    outcome: str | None
    reason: str | None
    is_held: int
    date_created: int
    date_updated: int


class VirtualPhoneMedium(msgspec.Struct, frozen=True):
    """The phone's own copy of a medium; the bytes are a blob under its SID."""

    account_sid: str
    sid: str
    address: str
    message_sid: str
    content_type: str
    size: int
    filename: str | None
    is_removed: int = 0


class MessageFilters(msgspec.Struct, frozen=True):
    """Filters of messages; an empty text matches any, ``after_ms`` is an exclusive bound."""

    sender: str = ""
    recipient: str = ""
    direction: str = ""
    after_ms: int = -1


TABLE = ChildTable(
    "virtual_phone_message", VirtualPhoneMessage, key=("account_sid", "address", "sid")
)
insert_message = TABLE.inserter()
find_message = TABLE.finder()
update_message = TABLE.updater()
delete_message = TABLE.deleter()
# The recipients are a JSON array of addresses, which contain no quotes.
LIST = window(
    "SELECT {columns} FROM virtual_phone_message WHERE account_sid = $1 AND address = $2"
    " AND is_held = 0 AND ($3 = '' OR sender = $3)"
    """ AND ($4 = '' OR recipients LIKE '%"' || $4 || '"%' ESCAPE '|')"""
    " AND ($5 = '' OR direction = $5) AND date_created > $6",
    VirtualPhoneMessage,
    order="sequence",
    arguments=6,
)
COUNT = "SELECT COUNT(*) FROM virtual_phone_message WHERE account_sid = $1 AND address = $2"
_OLDEST_OF_PHONE: Final = (
    "SELECT {columns} FROM virtual_phone_message WHERE account_sid = $1 AND address = $2"
    " ORDER BY sequence, sid LIMIT $3"
)
OLDEST_OF_PHONE = statement(_OLDEST_OF_PHONE, VirtualPhoneMessage)
OLDEST_OF_ACCOUNT = statement(
    "SELECT {columns} FROM virtual_phone_message WHERE account_sid = $1 ORDER BY sequence LIMIT $2",
    VirtualPhoneMessage,
)
HELD = statement(
    "SELECT {columns} FROM virtual_phone_message WHERE account_sid = $1 AND address = $2"
    " AND is_held = 1 ORDER BY sequence, sid LIMIT $3",
    VirtualPhoneMessage,
)
LAST_FROM = statement(
    "SELECT {columns} FROM virtual_phone_message WHERE account_sid = $1 AND address = $2"
    " AND direction = 'received' AND is_held = 0 AND sender = $3 AND message_sid IS NOT NULL"
    " ORDER BY sequence DESC LIMIT 1",
    VirtualPhoneMessage,
)

MEDIA = Table("virtual_phone_medium", VirtualPhoneMedium, key=("account_sid", "sid"), order="sid")
insert_medium = MEDIA.inserter()
find_any_medium = MEDIA.finder()
FIND_MEDIUM = statement(
    "SELECT {columns} FROM virtual_phone_medium WHERE account_sid = $1 AND sid = $4"
    " AND address = $2 AND message_sid = $3 AND is_removed = 0",
    VirtualPhoneMedium,
)
REMOVE_MEDIA = """
UPDATE virtual_phone_medium SET is_removed = 1
 WHERE account_sid = $1 AND address = $2 AND message_sid = $3 AND is_removed = 0
"""


async def list_messages(
    tx: Transaction, scope: Scope, address: str, filters: MessageFilters, request: PageRequest
) -> list[VirtualPhoneMessage]:
    """Return a page of the messages that a phone shows, oldest first."""
    recipient = _escaped(filters.recipient)
    arguments = (filters.sender, recipient, filters.direction, filters.after_ms)
    rows = await read_window(tx, LIST, request, scope.account_sid, address, *arguments)
    return [VirtualPhoneMessage(*row) for row in rows]


def _escaped(text: str) -> str:
    """Return a text that a LIKE pattern matches literally."""
    return text.replace("|", "||").replace("%", "|%").replace("_", "|_")


async def count_messages(tx: Transaction, scope: Scope, address: str) -> int:
    """Return the number of a phone's messages, held ones included."""
    row = await tx.one(COUNT, scope.account_sid, address)
    assert row is not None
    return int(row[0])


async def list_oldest(
    tx: Transaction, scope: Scope, count: int, address: str | None = None
) -> list[VirtualPhoneMessage]:
    """Return the oldest messages of an account, or of one phone."""
    if address is None:
        rows = await tx.all(OLDEST_OF_ACCOUNT, scope.account_sid, count)
    else:
        rows = await tx.all(OLDEST_OF_PHONE, scope.account_sid, address, count)
    return [VirtualPhoneMessage(*row) for row in rows]


async def list_held(
    tx: Transaction, scope: Scope, address: str, count: int
) -> list[VirtualPhoneMessage]:
    """Return the messages that wait for a phone, oldest first."""
    rows = await tx.all(HELD, scope.account_sid, address, count)
    return [VirtualPhoneMessage(*row) for row in rows]


async def find_last_from(
    tx: Transaction, scope: Scope, address: str, sender: str
) -> VirtualPhoneMessage | None:
    """Return the last message of a conversation that a phone received from a sender."""
    row = await tx.one(LAST_FROM, scope.account_sid, address, sender)
    return VirtualPhoneMessage(*row) if row else None


async def find_medium(
    tx: Transaction, scope: Scope, address: str, message_sid: str, sid: str
) -> VirtualPhoneMedium | None:
    """Return a medium of a phone's message."""
    row = await tx.one(FIND_MEDIUM, scope.account_sid, address, message_sid, sid)
    return VirtualPhoneMedium(*row) if row else None


async def remove_media(tx: Transaction, scope: Scope, address: str, message_sid: str) -> None:
    """Mark the media of a message as removed: their files are deleted later."""
    await tx.run(REMOVE_MEDIA, scope.account_sid, address, message_sid)
