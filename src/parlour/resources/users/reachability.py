"""Reachability of users: published to clients, but not to webhooks.

The row always contains it; it is shown only if the service has reachability enabled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.users import store as user_store
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.resources.users.store import User
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


async def with_visible_reachability(tx: Transaction, scope: Scope, user: User) -> User:
    """Return the user, without its reachability if the service hides it."""
    configuration = await service_configuration_store.get_service_configuration(tx, scope)
    if configuration.reachability_enabled:
        return user
    return msgspec.structs.replace(user, is_online=None, is_notifiable=None)


async def set_notifiable(
    tx: Transaction, scope: Scope, identity: str, *, is_notifiable: bool
) -> None:
    """Record whether a user has a device for push notifications."""
    user = await user_store.find_user_by_identity(tx, scope, identity)
    if user is None or user.is_notifiable == int(is_notifiable):
        return
    await user_store.update_user_notifiable(tx, scope, user.sid, int(is_notifiable))
    await tx.emit(
        scope,
        event_names.USER_REACHABILITY_UPDATED,
        subject_sid=user.sid,
        payload={"user_sid": user.sid, "is_notifiable": is_notifiable},
    )
