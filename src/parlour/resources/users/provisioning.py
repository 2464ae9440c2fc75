"""Automatic creation of users for identities that appear for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.users import store as user_store
from parlour.resources.users.store import User
from parlour.vocabulary import event_names, sids

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


async def ensure_user(tx: Transaction, scope: Scope, identity: str) -> User:
    """Return the user with this identity, created if there is none."""
    found = await user_store.find_user_by_identity_for_update(tx, scope, identity)
    if found is not None:
        return found
    user = await build_user(tx, scope, identity)
    await save_new_user(tx, scope, user)
    return user


async def build_user(tx: Transaction, scope: Scope, identity: str) -> User:
    """Return the record of a new user that has only an identity and the default role."""
    configuration = await service_configuration_store.get_service_configuration(tx, scope)
    return User(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        sid=tx.new_sid(sids.USER),
        sequence=tx.next_sequence(),
        identity=identity,
        friendly_name=None,
        attributes="{}",
        role_sid=configuration.default_chat_service_role_sid,
        is_online=None,
        is_notifiable=None,
        date_created=tx.now,
        date_updated=tx.now,
    )


async def save_new_user(tx: Transaction, scope: Scope, user: User) -> None:
    """Insert a user and emit its event."""
    await user_store.insert_user(tx, scope, user)
    await tx.emit(scope, event_names.ON_USER_ADDED, subject_sid=user.sid, payload={"user": user})
