"""What a connected user may do with conversations, and which of them it can see at all.

A user sees a conversation as its participant or as its creator. To anybody else it is not there:
the answer is the one for a conversation that nobody ever made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations import access
from parlour.resources.conversations import actions
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.permissions import Permission

if TYPE_CHECKING:
    from parlour.operations.access import Place
    from parlour.operations.call import Call
    from parlour.resources.conversations.store import Conversation
    from parlour.store.transaction import Transaction


async def seen(
    tx: Transaction, call: Call[Any], name: str = "ConversationSid"
) -> tuple[Conversation, Place | None]:
    """The conversation that the path names, and the user's place in it. Raises 50350.

    A creator who takes no part in it has none.
    """
    conversation = await actions.in_path(tx, call, name)
    place = await access.place_in(tx, call, conversation.sid)
    if place is None and conversation.created_by != access.identity_of(call):
        raise call.not_found(50350)
    return conversation, place


async def joined(
    tx: Transaction, call: Call[Any], name: str = "ConversationSid"
) -> tuple[Conversation, Place]:
    """The conversation that the path names, and the user's place in it.

    Raises 50430 for a creator who is not in it.
    """
    conversation, place = await seen(tx, call, name)
    if place is None:
        raise ApiError(50430)
    return conversation, place


async def create_conversation(tx: Transaction, call: Call[Any]) -> None:
    """Conversations are made by who may make them."""
    access.must_say_only(call, "FriendlyName", "UniqueName", "Attributes")
    await access.must(tx, call, Permission.CREATE_CONVERSATION)


async def update_conversation(tx: Transaction, call: Call[Any]) -> None:
    """Names and attributes are two permissions; nothing else can be changed."""
    _, place = await seen(tx, call, "Sid")
    access.must_say_only(call, "FriendlyName", "UniqueName", "Attributes")
    if "FriendlyName" in call.form or "UniqueName" in call.form:
        await access.must(tx, call, Permission.EDIT_CONVERSATION_NAME, place=place)
    if "Attributes" in call.form:
        await access.must(tx, call, Permission.EDIT_CONVERSATION_ATTRIBUTES, place=place)


async def delete_conversation(tx: Transaction, call: Call[Any]) -> None:
    """Conversations are removed by who may remove them."""
    _, place = await seen(tx, call, "Sid")
    await access.must(tx, call, Permission.DELETE_CONVERSATION, place=place)
