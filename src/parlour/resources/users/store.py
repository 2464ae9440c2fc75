"""Rows of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import statement
from parlour.store.table import Table

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class User(msgspec.Struct, frozen=True):
    """One chat identity. ``is_online`` and ``is_notifiable`` are 0, 1, or None for unknown."""

    account_sid: str
    service_sid: str
    sid: str
    sequence: int
    identity: str
    friendly_name: str | None
    attributes: str
    role_sid: str
    is_online: int | None
    is_notifiable: int | None
    date_created: int
    date_updated: int


TABLE = Table("chat_user", User, key=("account_sid", "service_sid", "sid"))
insert_user = TABLE.inserter()
find_user = TABLE.finder()
list_users = TABLE.lister()
update_user_row = TABLE.updater()
delete_user_row = TABLE.deleter()
find_user_for_update = TABLE.finder("FOR UPDATE")
"""Locks the user's row until the transaction ends."""
FETCH_BY_IDENTITY = statement(
    "SELECT {columns} FROM chat_user WHERE account_sid = $1 AND service_sid = $2 AND identity = $3",
    User,
)
FETCH_BY_IDENTITY_FOR_UPDATE = statement("{fetch} FOR UPDATE", fetch=FETCH_BY_IDENTITY)
DELETE_PUSH_BINDINGS = """
DELETE FROM push_binding WHERE account_sid = $1 AND service_sid = $2 AND identity = $3
"""
SET_ONLINE = """
UPDATE chat_user SET is_online = $4 WHERE account_sid = $1 AND service_sid = $2 AND sid = $3
"""
SET_NOTIFIABLE = """
UPDATE chat_user SET is_notifiable = $4 WHERE account_sid = $1 AND service_sid = $2 AND sid = $3
"""


async def find_user_by_identity(tx: Transaction, scope: Scope, identity: str) -> User | None:
    """Return the user with this identity, byte for byte, or None."""
    row = await tx.one(FETCH_BY_IDENTITY, scope.account_sid, scope.service_sid, identity)
    return User(*row) if row else None


async def find_user_by_identity_for_update(
    tx: Transaction, scope: Scope, identity: str
) -> User | None:
    """Return the user as ``find_user_by_identity``, locked until the transaction ends."""
    arguments = (scope.account_sid, scope.service_sid, identity)
    row = await tx.one(FETCH_BY_IDENTITY_FOR_UPDATE, *arguments)
    return User(*row) if row else None


async def delete_push_bindings(tx: Transaction, scope: Scope, identity: str) -> int:
    """Delete the push bindings of an identity; return the number of rows."""
    return await tx.run(DELETE_PUSH_BINDINGS, scope.account_sid, scope.service_sid, identity)


async def update_user_online(tx: Transaction, scope: Scope, sid: str, is_online: int) -> None:
    """Record whether a user is connected; no other column changes, not even ``date_updated``."""
    await tx.run(SET_ONLINE, scope.account_sid, scope.service_sid, sid, is_online)


async def update_user_notifiable(
    tx: Transaction, scope: Scope, sid: str, is_notifiable: int
) -> None:
    """Record whether a user has a device; no other column changes."""
    await tx.run(SET_NOTIFIABLE, scope.account_sid, scope.service_sid, sid, is_notifiable)
