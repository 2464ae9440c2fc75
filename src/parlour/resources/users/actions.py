"""What happens to users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.resources.roles import store as roles
from parlour.resources.users import arrivals, departures, reachability, store
from parlour.vocabulary import event_names, sids
from parlour.vocabulary.dates import updated_at
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.permissions import RoleType
from parlour.vocabulary.unset import UNSET, Unset

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.users.parameters import CreateUser, UpdateUser
    from parlour.resources.users.store import User
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


async def in_path(tx: Transaction, call: Call[Any], name: str = "UserSid") -> User:
    """The user that the path names, by sid or identity. Raises 404."""
    text = call.path[name]
    sid = sids.parse(sids.USER, text)
    found = None
    if sid is not None:
        found = await store.find(tx, call.scope, sid)
    if found is None:
        found = await store.find_by_identity(tx, call.scope, text)
        if found is not None and sid is not None:
            # An access token may name an identity in the form of a sid: as with participants.
            await tx.lock_name("identity", call.scope.account_sid, call.scope.service_sid, text)
    if found is None:
        raise call.not_found(50200)
    return found


async def in_path_to_change(tx: Transaction, call: Call[Any]) -> User:
    """The user that the path names, which nobody else changes meanwhile. Raises 404."""
    text = call.path["Sid"]
    sid = sids.parse(sids.USER, text)
    found = None
    if sid is not None:
        found = await store.find_to_change(tx, call.scope, sid)
    if found is None:
        found = await store.find_by_identity_to_change(tx, call.scope, text)
    if found is None:
        raise call.not_found()
    return found


async def create_user(tx: Transaction, call: Call[CreateUser]) -> User:
    """A new user. An identity has one user in a service."""
    said = call.parameters
    user = await _changed(
        tx, call.scope, await arrivals.make_user(tx, call.scope, said.identity), said
    )
    if await store.find_by_identity(tx, call.scope, said.identity) is not None:
        raise ApiError(50201)
    await arrivals.keep_user(tx, call.scope, user)
    return user


async def _changed(
    tx: Transaction, scope: Scope, before: User, change: CreateUser | UpdateUser
) -> User:
    """The user with what was said of it. Raises 50102 unless the role is a service role."""

    def given(value: str | Unset, otherwise: Any) -> Any:
        return otherwise if value is UNSET else value

    if isinstance(change.role_sid, str):
        role = await roles.find_to_give(tx, scope, change.role_sid)
        if role is None or role.type != RoleType.SERVICE:
            raise ApiError(50102)
    return msgspec.structs.replace(
        before,
        friendly_name=given(change.friendly_name, before.friendly_name),
        attributes=given(change.attributes, before.attributes),
        role_sid=given(change.role_sid, before.role_sid),
    )


async def fetch_user(tx: Transaction, call: Call[NoParameters]) -> User:
    """One user."""
    return await reachability.shown(tx, call.scope, await in_path(tx, call, "Sid"))


async def list_users(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """A page of the service's users."""
    return Rows(await store.page(tx, call.scope, call.page_request))


async def update_user(tx: Transaction, call: Call[UpdateUser]) -> User:
    """Change a user's name, attributes or role."""
    before = await in_path_to_change(tx, call)
    after = await _changed(tx, call.scope, before, call.parameters)
    after = msgspec.structs.replace(
        after,
        date_updated=updated_at(
            tx.now, created_ms=before.date_created, updated_ms=before.date_updated
        ),
    )
    await store.change(tx, call.scope, after)
    shown = await reachability.shown(tx, call.scope, after)
    await tx.emit(
        call.scope,
        event_names.ON_USER_UPDATED,
        subject_sid=after.sid,
        payload={"user": shown, "previous_date_updated": before.date_updated},
    )
    return shown


async def delete_user(tx: Transaction, call: Call[NoParameters]) -> None:
    """Remove a user: it leaves its conversations, and nothing is pushed to it any more."""
    user = await in_path_to_change(tx, call)
    await departures.leave(tx, call.scope, user)
    await store.remove_push_bindings(tx, call.scope, user.identity)
    await store.remove(tx, call.scope, user.sid)
    await tx.emit(
        call.scope, event_names.USER_REMOVED, subject_sid=user.sid, payload={"user": user}
    )
