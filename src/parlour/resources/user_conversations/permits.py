"""Permits for user conversations: a user may only access its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations import access
from parlour.resources.conversations import permits as conversation_permits
from parlour.resources.users import actions as user_actions
from parlour.vocabulary.permissions import Permission

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.store.transaction import Transaction


async def list_user_conversations(tx: Transaction, call: Call[Any]) -> None:
    """Raise 404 for another user, so that memberships are not disclosed."""
    user = await user_actions.user_in_path(tx, call)
    if user.identity != access.caller_identity(call):
        raise call.not_found(50200)


async def fetch_user_conversation(tx: Transaction, call: Call[Any]) -> None:
    """Require the user's own membership, or that the user created the conversation."""
    await list_user_conversations(tx, call)
    await conversation_permits.visible_conversation(tx, call)


async def update_user_conversation(tx: Transaction, call: Call[Any]) -> None:
    """Allow the read horizon to each participant; require a permission for the level."""
    await list_user_conversations(tx, call)
    _, membership = await conversation_permits.joined_conversation(tx, call)
    access.allow_only(call, "NotificationLevel", "LastReadMessageIndex")
    if "NotificationLevel" in call.form:
        await access.require_permission(
            tx, call, Permission.EDIT_NOTIFICATION_LEVEL, membership=membership
        )
