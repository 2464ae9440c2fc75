"""What a connected user may do with users' conversations: with its own alone."""

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
    """Nobody learns where somebody else is."""
    user = await user_actions.user_in_path(tx, call)
    if user.identity != access.caller_identity(call):
        raise call.not_found(50200)


async def fetch_user_conversation(tx: Transaction, call: Call[Any]) -> None:
    """One's own place in a conversation; its creator sees that it has none."""
    await list_user_conversations(tx, call)
    await conversation_permits.visible_conversation(tx, call)


async def update_user_conversation(tx: Transaction, call: Call[Any]) -> None:
    """Every participant says how far it has read; being notified or not is a permission."""
    await list_user_conversations(tx, call)
    _, membership = await conversation_permits.joined_conversation(tx, call)
    access.allow_only(call, "NotificationLevel", "LastReadMessageIndex")
    if "NotificationLevel" in call.form:
        await access.require_permission(
            tx, call, Permission.EDIT_NOTIFICATION_LEVEL, membership=membership
        )
