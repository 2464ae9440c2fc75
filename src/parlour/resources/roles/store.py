"""Rows of roles. Permissions are stored as JSON text, in the order in which they were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import select
from parlour.store.table import Table

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Role(msgspec.Struct, frozen=True):
    """One role. ``type`` is service or conversation; ``permissions`` is a JSON array."""

    account_sid: str
    service_sid: str
    sid: str
    sequence: int
    friendly_name: str
    type: str
    permissions: str
    date_created: int
    date_updated: int


TABLE = Table("role", Role, key=("account_sid", "service_sid", "sid"))
insert_role = TABLE.inserter()
find_role = TABLE.finder()
list_roles = TABLE.lister()
update_role_row = TABLE.updater()
delete_role_row = TABLE.deleter()
# Inline SQL: this store cannot import the service configuration's, which depends on roles.
LIST_DEFAULT_ROLES = """
SELECT default_chat_service_role_sid, default_conversation_creator_role_sid,
       default_conversation_role_sid
  FROM service_configuration WHERE account_sid = $1 AND service_sid = $2
"""
FETCH_FOR_ASSIGNMENT = select("role", Role, key=TABLE.key, lock="FOR KEY SHARE")


async def find_role_for_assignment(tx: Transaction, scope: Scope, sid: str) -> Role | None:
    """Return the role with this SID, locked against deletion until the transaction ends."""
    row = await tx.one_cached(FETCH_FOR_ASSIGNMENT, scope.account_sid, scope.service_sid, sid)
    return Role(*row) if row else None


async def list_default_role_sids(tx: Transaction, scope: Scope) -> frozenset[str]:
    """Return the SIDs of the roles that are defaults of the service."""
    row = await tx.one(LIST_DEFAULT_ROLES, scope.account_sid, scope.service_sid)
    assert row is not None, scope.service_sid
    return frozenset(row)
