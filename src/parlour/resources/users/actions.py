"""Actions on users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations.call import Rows
from parlour.resources.in_path import in_path
from parlour.resources.roles import store as role_store
from parlour.resources.users import provisioning as user_provisioning
from parlour.resources.users import reachability as user_reachability
from parlour.resources.users import store as user_store
from parlour.vocabulary import event_names, sids
from parlour.vocabulary.dates import updated
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.permissions import RoleType
from parlour.vocabulary.unset import given_or

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.users.parameters import CreateUser, UpdateUser
    from parlour.resources.users.store import User
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


user_in_path = in_path(
    sids.USER,
    user_store.find_user,
    user_store.find_user_by_identity,
    variable="UserSid",
    code=50200,
    locks_identity=True,
)
user_in_path_for_update = in_path(
    sids.USER, user_store.find_user_for_update, user_store.find_user_by_identity_for_update
)
"""Locks the user's row until the transaction ends."""


async def create_user(tx: Transaction, call: Call[CreateUser]) -> User:
    """Create a user. An identity is unique in a service."""
    parameters = call.parameters
    user = await _changed(
        tx,
        call.scope,
        await user_provisioning.build_user(tx, call.scope, parameters.identity),
        parameters,
    )
    if await user_store.find_user_by_identity(tx, call.scope, parameters.identity) is not None:
        raise ApiError(50201)
    await user_provisioning.save_new_user(tx, call.scope, user)
    return user


async def _changed(
    tx: Transaction, scope: Scope, before: User, change: CreateUser | UpdateUser
) -> User:
    """Return the user with the given parameters. Raises 50102 unless the role is a service role."""
    if isinstance(change.role_sid, str):
        role = await role_store.find_role_for_assignment(tx, scope, change.role_sid)
        if role is None or role.type != RoleType.SERVICE:
            raise ApiError(50102)
    return msgspec.structs.replace(
        before,
        friendly_name=given_or(change.friendly_name, before.friendly_name),
        attributes=given_or(change.attributes, before.attributes),
        role_sid=given_or(change.role_sid, before.role_sid),
    )


async def fetch_user(tx: Transaction, call: Call[NoParameters]) -> User:
    """Return the user that the path names."""
    return await user_reachability.with_visible_reachability(
        tx, call.scope, await user_in_path(tx, call, variable="Sid")
    )


async def list_users(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of the service's users."""
    return Rows(await user_store.list_users(tx, call.scope, call.page_request))


async def update_user(tx: Transaction, call: Call[UpdateUser]) -> User:
    """Change a user's name, attributes or role."""
    before = await user_in_path_for_update(tx, call)
    after = updated(await _changed(tx, call.scope, before, call.parameters), tx.now)
    await user_store.update_user_row(tx, call.scope, after)
    shown = await user_reachability.with_visible_reachability(tx, call.scope, after)
    await tx.emit(
        call.scope,
        event_names.ON_USER_UPDATED,
        subject_sid=after.sid,
        payload={"user": shown, "previous_date_updated": before.date_updated},
    )
    return shown
