"""Permits for messages: for participants only, with separate permissions for own messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.operations import access
from parlour.resources.conversations import permits as conversation_permits
from parlour.resources.messages import actions as message_actions
from parlour.vocabulary.permissions import Permission

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.store.transaction import Transaction

_TEXT: Final = frozenset({"Body", "ContentSid"})
_MEDIA: Final = frozenset({"MediaSids"})
_CHANGES: Final = {
    "Body": (Permission.EDIT_ANY_MESSAGE, Permission.EDIT_OWN_MESSAGE),
    "Attributes": (Permission.EDIT_ANY_MESSAGE_ATTRIBUTES, Permission.EDIT_OWN_MESSAGE_ATTRIBUTES),
}
"""The permissions to change a field of any message, and of one's own."""


async def create_message(tx: Transaction, call: Call[Any]) -> None:
    """Require the permissions for text and for media; a message with both requires both."""
    _, membership = await conversation_permits.joined_conversation(tx, call)
    access.allow_only(call, "Subject", "Attributes", "ContentVariables", *_TEXT, *_MEDIA)
    carries_media = not _MEDIA.isdisjoint(call.form)
    if carries_media:
        await access.require_permission(
            tx, call, Permission.SEND_MEDIA_MESSAGE, membership=membership
        )
    if not carries_media or not _TEXT.isdisjoint(call.form):
        await access.require_permission(tx, call, Permission.SEND_MESSAGE, membership=membership)


async def read_messages(tx: Transaction, call: Call[Any]) -> None:
    """Require that the user is a participant, to read messages and their receipts."""
    await conversation_permits.joined_conversation(tx, call)


async def fetch_channel_metadata(tx: Transaction, call: Call[Any]) -> None:
    """Require the permission to read channel metadata."""
    _, membership = await conversation_permits.joined_conversation(tx, call)
    await access.require_permission(
        tx, call, Permission.READ_CHANNEL_METADATA, membership=membership, code=50531
    )


async def update_message(tx: Transaction, call: Call[Any]) -> None:
    """Require a permission for the body and for the attributes, of own or of any messages."""
    conversation, membership = await conversation_permits.joined_conversation(tx, call)
    message = await message_actions.message_in_path(tx, call, conversation.sid)
    access.allow_only(call, *_CHANGES)
    for name in call.form:
        any_message, own_message = _CHANGES[name]
        permissions = [any_message]
        if message.author == access.caller_identity(call):
            permissions.append(own_message)
        await access.require_permission(tx, call, *permissions, membership=membership)


async def delete_message(tx: Transaction, call: Call[Any]) -> None:
    """Require the permission to delete one's own messages, or any."""
    conversation, membership = await conversation_permits.joined_conversation(tx, call)
    message = await message_actions.message_in_path(tx, call, conversation.sid)
    permissions = [Permission.DELETE_ANY_MESSAGE]
    if message.author == access.caller_identity(call):
        permissions.append(Permission.DELETE_OWN_MESSAGE)
    await access.require_permission(tx, call, *permissions, membership=membership)
