"""Roles as rows. Permissions are kept as JSON text, in the order in which they were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, update, values_of, window
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
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


INSERT = insert("role", Role)
UPDATE = update("role", Role, key=("account_sid", "service_sid", "sid"))
FETCH = statement(
    "SELECT {columns} FROM role WHERE account_sid = $1 AND service_sid = $2 AND sid = $3", Role
)
FETCH_FOR_ASSIGNMENT = statement("{fetch} FOR KEY SHARE", fetch=FETCH)
LIST = window(
    "SELECT {columns} FROM role WHERE account_sid = $1 AND service_sid = $2",
    Role,
    order="sequence",
    arguments=2,
)
DELETE = "DELETE FROM role WHERE account_sid = $1 AND service_sid = $2 AND sid = $3"


async def insert_role(tx: Transaction, scope: Scope, role: Role) -> None:
    """Keep a new role."""
    assert role.service_sid == scope.service_sid
    await tx.run(INSERT, *values_of(role))


async def find_role(tx: Transaction, scope: Scope, sid: str) -> Role | None:
    """The role with this sid, if the service has it."""
    row = await tx.one(FETCH, scope.account_sid, scope.service_sid, sid)
    return Role(*row) if row else None


async def find_role_for_assignment(tx: Transaction, scope: Scope, sid: str) -> Role | None:
    """As ``find_role``; the role is not removed while somebody is being given it."""
    row = await tx.one_cached(FETCH_FOR_ASSIGNMENT, scope.account_sid, scope.service_sid, sid)
    return Role(*row) if row else None


async def list_roles(tx: Transaction, scope: Scope, request: PageRequest) -> list[Role]:
    """The service's roles, oldest first."""
    rows = await read_window(tx, LIST, request, scope.account_sid, scope.service_sid)
    return [Role(*row) for row in rows]


async def update_role_row(tx: Transaction, scope: Scope, role: Role) -> None:
    """Write every changeable column of one role."""
    assert role.service_sid == scope.service_sid
    count = await tx.run(UPDATE, *values_of(role))
    assert count == 1, role.sid


async def delete_role_row(tx: Transaction, scope: Scope, sid: str) -> int:
    """Delete the row; how many that was."""
    return await tx.run(DELETE, scope.account_sid, scope.service_sid, sid)
