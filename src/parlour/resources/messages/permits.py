"""What a connected user may do with messages: only as a participant, and its own before others'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.operations import access
from parlour.resources.conversations import permits as conversations
from parlour.resources.messages import actions
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
"""What changing a part of anybody's message, and of one's own, takes."""


async def create_message(tx: Transaction, call: Call[Any]) -> None:
    """A text and media are two permissions; a message with both takes both."""
    _, place = await conversations.joined(tx, call)
    access.must_say_only(call, "Subject", "Attributes", "ContentVariables", *_TEXT, *_MEDIA)
    carries_media = not _MEDIA.isdisjoint(call.form)
    if carries_media:
        await access.must(tx, call, Permission.SEND_MEDIA_MESSAGE, place=place)
    if not carries_media or not _TEXT.isdisjoint(call.form):
        await access.must(tx, call, Permission.SEND_MESSAGE, place=place)


async def read_messages(tx: Transaction, call: Call[Any]) -> None:
    """Participants read what is said, and what became of it."""
    await conversations.joined(tx, call)


async def read_channel_metadata(tx: Transaction, call: Call[Any]) -> None:
    """What a channel says of a message is for those who may read it."""
    _, place = await conversations.joined(tx, call)
    await access.must(tx, call, Permission.READ_CHANNEL_METADATA, place=place, code=50531)


async def update_message(tx: Transaction, call: Call[Any]) -> None:
    """The body and the attributes are two permissions, each for one's own and for any message."""
    conversation, place = await conversations.joined(tx, call)
    message = await actions.in_path(tx, call, conversation.sid)
    access.must_say_only(call, *_CHANGES)
    for name in call.form:
        any_message, own_message = _CHANGES[name]
        permissions = [any_message]
        if message.author == access.identity_of(call):
            permissions.append(own_message)
        await access.must(tx, call, *permissions, place=place)


async def delete_message(tx: Transaction, call: Call[Any]) -> None:
    """One's own message, or any."""
    conversation, place = await conversations.joined(tx, call)
    message = await actions.in_path(tx, call, conversation.sid)
    permissions = [Permission.DELETE_ANY_MESSAGE]
    if message.author == access.identity_of(call):
        permissions.append(Permission.DELETE_OWN_MESSAGE)
    await access.must(tx, call, *permissions, place=place)
