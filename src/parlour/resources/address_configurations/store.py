"""Rows of address configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import statement, window
from parlour.store.table import Table
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class AutoCreation(msgspec.Struct, frozen=True):
    """Rules for the conversation that an unknown sender's message creates.

    ``type`` is webhook, studio or default. ``conversation_service_sid`` None means the account's
    default service at the time of the message. Members that do not suit the type are None.
    """

    enabled: bool = False
    type: str = "default"
    conversation_service_sid: str | None = None
    webhook_url: str | None = None
    webhook_method: str | None = None
    webhook_filters: list[str] | None = None
    studio_flow_sid: str | None = None
    studio_retry_count: int | None = None
    binding_name: str | None = None


class AddressConfiguration(msgspec.Struct, frozen=True):
    """One of the account's addresses; ``auto_creation`` is an AutoCreation in JSON."""

    account_sid: str
    sid: str
    sequence: int
    type: str
    address: str
    friendly_name: str | None
    address_country: str | None
    auto_creation: str
    date_created: int
    date_updated: int

    @property
    def creation(self) -> AutoCreation:
        """The rules for the conversation that an unknown sender's message creates."""
        return _decode_auto_creation(self.auto_creation)


_decode_auto_creation = msgspec.json.Decoder(AutoCreation).decode
_encode = msgspec.json.Encoder().encode

TABLE = Table("address_configuration", AddressConfiguration, key=("account_sid", "sid"))
insert_address_configuration = TABLE.inserter()
find_address_configuration = TABLE.finder()
_list = TABLE.lister()
update_address_configuration_row = TABLE.updater()
delete_address_configuration_row = TABLE.deleter()
FETCH_BY_ADDRESS = statement(
    "SELECT {columns} FROM address_configuration WHERE account_sid = $1 AND address = $2",
    AddressConfiguration,
)
LIST_OF_TYPE = window(
    "SELECT {columns} FROM address_configuration WHERE account_sid = $1 AND type = $2",
    AddressConfiguration,
    order="sequence",
    arguments=2,
)
LIST_OF_SERVICE = statement(
    "SELECT {columns} FROM address_configuration WHERE account_sid = $1"
    " AND auto_creation LIKE $2 LIMIT $3",
    AddressConfiguration,
)


def encode_auto_creation(creation: AutoCreation) -> str:
    """Return the rules as the text of the column."""
    return _encode(creation).decode()


async def find_address_configuration_by_address(
    tx: Transaction, scope: Scope, address: str
) -> AddressConfiguration | None:
    """Return the configuration of this address, byte for byte, or None."""
    row = await tx.one(FETCH_BY_ADDRESS, scope.account_sid, address)
    return AddressConfiguration(*row) if row else None


async def list_address_configurations(
    tx: Transaction, scope: Scope, request: PageRequest, address_type: str | None
) -> list[AddressConfiguration]:
    """Return a page of the account's configurations, of one type or any, oldest first."""
    if address_type is None:
        return await _list(tx, scope, request)
    rows = await read_window(tx, LIST_OF_TYPE, request, scope.account_sid, address_type)
    return [AddressConfiguration(*row) for row in rows]


async def list_address_configurations_of_service(
    tx: Transaction, scope: Scope, service_sid: str, count: int
) -> list[AddressConfiguration]:
    """Return some configurations that create their conversations in this service."""
    # Quotation marks inside JSON strings are escaped, so the pattern matches only the member.
    like = f'%"conversation_service_sid":"{service_sid}"%'
    rows = await tx.all(LIST_OF_SERVICE, scope.account_sid, like, count)
    return [AddressConfiguration(*row) for row in rows]
