"""Actions on roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations import purge
from parlour.operations.call import Rows
from parlour.resources.changes import change_emitter
from parlour.resources.in_path import in_path
from parlour.resources.roles import store as role_store
from parlour.resources.roles.parameters import permissions_for
from parlour.resources.roles.store import Role
from parlour.vocabulary import event_names, sids
from parlour.vocabulary.dates import updated
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.roles.parameters import CreateRole, UpdateRole
    from parlour.store.transaction import Transaction


role_in_path = in_path(sids.ROLE, role_store.find_role)
_emit_change = change_emitter(Role, event_names.ROLE_CHANGED, "role")


async def list_roles(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of the service's roles."""
    return Rows(await role_store.list_roles(tx, call.scope, call.page_request))


async def create_role(tx: Transaction, call: Call[CreateRole]) -> Role:
    """Create a role."""
    parameters = call.parameters
    permissions = permissions_for(parameters.type, parameters.permissions)
    role = Role(
        account_sid=call.scope.account_sid,
        service_sid=call.scope.service_sid,
        sid=tx.new_sid(sids.ROLE),
        sequence=tx.next_sequence(),
        friendly_name=parameters.friendly_name,
        type=parameters.type,
        permissions=msgspec.json.encode(permissions).decode(),
        date_created=tx.now,
        date_updated=tx.now,
    )
    await role_store.insert_role(tx, call.scope, role)
    await _emit_change(tx, call.scope, role)
    return role


async def fetch_role(tx: Transaction, call: Call[NoParameters]) -> Role:
    """Return the role that the path names."""
    return await role_in_path(tx, call)


async def update_role(tx: Transaction, call: Call[UpdateRole]) -> Role:
    """Replace the permissions of a role."""
    before = await role_in_path(tx, call)
    permissions = permissions_for(before.type, call.parameters.permissions)
    after = updated(
        before,
        tx.now,
        permissions=msgspec.json.encode(permissions).decode(),
    )
    await role_store.update_role_row(tx, call.scope, after)
    await _emit_change(tx, call.scope, after)
    return after


async def delete_role(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a role. Its holders get the service's default role, which cannot be deleted."""
    role = await role_in_path(tx, call)
    if role.sid in await role_store.list_default_role_sids(tx, call.scope):
        raise ApiError(20409, "The role is a default role of its service")
    await role_store.delete_role_row(tx, call.scope, role.sid)
    await purge.enqueue_role(tx, call.scope, role.sid)
    await _emit_change(tx, call.scope, role)
