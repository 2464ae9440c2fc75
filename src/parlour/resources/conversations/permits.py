"""Permits for conversations, and their visibility to a connected user.

A user sees a conversation as its participant or as its creator. For all others the response is the
same as for a conversation that does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations import access
from parlour.resources.conversations import actions as conversation_actions
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.permissions import Permission

if TYPE_CHECKING:
    from parlour.operations.access import Membership
    from parlour.operations.call import Call
    from parlour.resources.conversations.store import Conversation
    from parlour.store.transaction import Transaction


async def visible_conversation(
    tx: Transaction, call: Call[Any], name: str = "ConversationSid"
) -> tuple[Conversation, Membership | None]:
    """Return the conversation that the path names, and the membership of the user. Raises 50350.

    The membership of a creator who is not a participant is None.
    """
    conversation = await conversation_actions.conversation_in_path(tx, call, variable=name)
    membership = await access.membership_in(tx, call, conversation.sid)
    if membership is None and conversation.created_by != access.caller_identity(call):
        raise call.not_found(50350)
    return conversation, membership


async def joined_conversation(
    tx: Transaction, call: Call[Any], name: str = "ConversationSid"
) -> tuple[Conversation, Membership]:
    """Return the conversation that the path names, and the membership of the user.

    Raises 50430 for a creator who is not in it.
    """
    conversation, membership = await visible_conversation(tx, call, name)
    if membership is None:
        raise ApiError(50430)
    return conversation, membership


async def create_conversation(tx: Transaction, call: Call[Any]) -> None:
    """Require the permission to create conversations."""
    access.allow_only(call, "FriendlyName", "UniqueName", "Attributes")
    await access.require_permission(tx, call, Permission.CREATE_CONVERSATION)


async def update_conversation(tx: Transaction, call: Call[Any]) -> None:
    """Require a permission each for names and for attributes; no other field can be changed."""
    _, membership = await visible_conversation(tx, call, "Sid")
    access.allow_only(call, "FriendlyName", "UniqueName", "Attributes")
    if "FriendlyName" in call.form or "UniqueName" in call.form:
        await access.require_permission(
            tx, call, Permission.EDIT_CONVERSATION_NAME, membership=membership
        )
    if "Attributes" in call.form:
        await access.require_permission(
            tx, call, Permission.EDIT_CONVERSATION_ATTRIBUTES, membership=membership
        )


async def delete_conversation(tx: Transaction, call: Call[Any]) -> None:
    """Require the permission to delete conversations."""
    _, membership = await visible_conversation(tx, call, "Sid")
    await access.require_permission(tx, call, Permission.DELETE_CONVERSATION, membership=membership)
