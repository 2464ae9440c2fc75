"""Rows of push bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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

BINDING_TYPES: Final = ("apn", "gcm", "fcm", "twilsock")


class PushBinding(msgspec.Struct, frozen=True):
    """One device. ``address`` is assigned by the push service, and is never shown.

    ``message_types`` is a JSON array.
    """

    account_sid: str
    service_sid: str
    sid: str
    sequence: int
    identity: str
    endpoint: str
    address: str
    binding_type: str
    credential_sid: str | None
    message_types: str
    date_created: int
    date_updated: int


# The statement has a placeholder for each value of a filter; unused ones repeat a value.
_TYPES: Final = len(BINDING_TYPES)
_IDENTITIES: Final = limits.BINDING_IDENTITIES_MAX
_OF_TYPES: Final = (
    "SELECT {columns} FROM push_binding WHERE account_sid = $1 AND service_sid = $2"
    " AND binding_type IN ($3, $4, $5, $6)"
)
_OF_IDENTITIES: Final = (
    " AND identity IN ($7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
    " $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)"
)

TABLE = Table("push_binding", PushBinding, key=("account_sid", "service_sid", "sid"))
insert_push_binding = TABLE.inserter()
find_push_binding = TABLE.finder()
update_push_binding_row = TABLE.updater()
delete_push_binding_row = TABLE.deleter()
LIST = window(
    _OF_TYPES,
    PushBinding,
    order="sequence",
    arguments=2 + _TYPES,
)
LIST_OF_IDENTITIES = window(
    _OF_TYPES + _OF_IDENTITIES,
    PushBinding,
    order="sequence",
    arguments=2 + _TYPES + _IDENTITIES,
)
LIST_OF_IDENTITY = statement(
    "SELECT {columns} FROM push_binding"
    " WHERE account_sid = $1 AND service_sid = $2 AND identity = $3 ORDER BY sequence LIMIT $4",
    PushBinding,
)


async def list_push_bindings_of_identity(
    tx: Transaction, scope: Scope, identity: str
) -> list[PushBinding]:
    """Return the devices of a user, oldest first."""
    rows = await tx.all(
        LIST_OF_IDENTITY,
        scope.account_sid,
        scope.service_sid,
        identity,
        limits.BINDINGS_PER_IDENTITY_MAX,
    )
    return [PushBinding(*row) for row in rows]


async def list_push_bindings(
    tx: Transaction,
    scope: Scope,
    request: PageRequest,
    *,
    types: Sequence[str],
    identities: Sequence[str],
) -> list[PushBinding]:
    """Return the service's bindings of any of these types and identities, oldest first.

    An empty list matches any. At most ``BINDING_IDENTITIES_MAX`` identities.
    """
    arguments = [scope.account_sid, scope.service_sid]
    arguments += _filled(types or BINDING_TYPES, _TYPES)
    if identities:
        arguments += _filled(identities, _IDENTITIES)
    listing = LIST_OF_IDENTITIES if identities else LIST
    rows = await read_window(tx, listing, request, *arguments)
    return [PushBinding(*row) for row in rows]


def _filled(names: Sequence[str], count: int) -> list[str]:
    assert 0 < len(names) <= count
    return [*names, *[names[0]] * (count - len(names))]
