"""Rows of virtual phones, and the usage of their accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store.statements import window
from parlour.store.table import SettingsTable, Table
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

DELIVER: Final = "deliver"
UNDELIVERABLE: Final = "undeliverable"
REJECT: Final = "reject"
SILENT: Final = "silent"
OFF: Final = "off"
BEHAVIOURS: Final = (DELIVER, UNDELIVERABLE, REJECT, SILENT, OFF)
"""What a phone does with a message: see ``channels/virtual/behaviours.py``."""

NORMAL: Final = "normal"
DUPLICATE: Final = "duplicate"
EARLY: Final = "early"
REVERSED: Final = "reversed"
RECEIPTS: Final = (NORMAL, DUPLICATE, EARLY, REVERSED)
"""The order of a phone's delivery reports."""


class VirtualPhone(msgspec.Struct, frozen=True):
    """One phone of an account. ``activity`` is the number of its last message or change.

    ``token`` breaks ties in pages of the list; ``error_code`` 0 is the default of the channel;
    ``reads`` is 1 if the phone reads what it gets at once.
    """

    account_sid: str
    address: str
    token: str
    channel: str
    name: str | None
    behaviour: str
    delay_ms: int
    error_code: int
    receipts: str
    reads: int
    activity: int
    date_created: int
    date_updated: int


class VirtualPhoneUsage(msgspec.Struct, frozen=True):
    """The number of an account's phones, and the bytes of their messages and media."""

    account_sid: str
    phones: int = 0
    bytes: int = 0


TABLE = Table("virtual_phone", VirtualPhone, key=("account_sid", "address"), order="activity")
insert_virtual_phone = TABLE.inserter()
find_virtual_phone = TABLE.finder()
update_virtual_phone_row = TABLE.updater()
delete_virtual_phone_row = TABLE.deleter()
LIST = window(
    "SELECT {columns} FROM virtual_phone WHERE account_sid = $1",
    VirtualPhone,
    order="activity",
    arguments=1,
    descending=True,
    sid="token",
)
LIST_OF_CHANNEL = window(
    "SELECT {columns} FROM virtual_phone WHERE account_sid = $1 AND channel = $2",
    VirtualPhone,
    order="activity",
    arguments=2,
    descending=True,
    sid="token",
)
QUIETEST = """
SELECT address FROM virtual_phone WHERE account_sid = $1 ORDER BY activity, token LIMIT 1
"""

USAGE = SettingsTable("virtual_phone_usage", VirtualPhoneUsage, key=("account_sid",))
get_usage = USAGE.getter()
save_usage = USAGE.saver()


async def list_virtual_phones(
    tx: Transaction, scope: Scope, channel: str, request: PageRequest
) -> list[VirtualPhone]:
    """Return a page of phones, the last active one first; an empty ``channel`` matches any."""
    if channel:
        rows = await read_window(tx, LIST_OF_CHANNEL, request, scope.account_sid, channel)
    else:
        rows = await read_window(tx, LIST, request, scope.account_sid)
    return [VirtualPhone(*row) for row in rows]


async def find_quietest_address(tx: Transaction, scope: Scope) -> str | None:
    """Return the address of the phone whose last activity is the oldest."""
    row = await tx.one(QUIETEST, scope.account_sid)
    return row[0] if row else None
