"""What a connected user may do with participants: itself is another matter than the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations import access
from parlour.resources.conversations import permits as conversations
from parlour.resources.participants import actions
from parlour.vocabulary.permissions import Permission
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.participants.parameters import CreateParticipant
    from parlour.store.transaction import Transaction


async def create_participant(tx: Transaction, call: Call[CreateParticipant]) -> None:
    """Adding oneself is joining; others are added by chat or by an address of their own."""
    _, place = await conversations.seen(tx, call)
    access.must_say_only(
        call,
        "Identity",
        "Attributes",
        "MessagingBinding.Address",
        "MessagingBinding.ProxyAddress",
        "MessagingBinding.Level",
        "MessagingBinding.Name",
    )
    identity = call.said().identity
    if identity is UNSET:
        await access.must(tx, call, Permission.ADD_NON_CHAT_PARTICIPANT, place=place)
    elif identity == access.identity_of(call):
        await access.must(tx, call, Permission.JOIN_CONVERSATION, place=place)
    else:
        await access.must(tx, call, Permission.ADD_PARTICIPANT, place=place)


async def fetch_own_participant(tx: Transaction, call: Call[Any]) -> None:
    """Everybody who is one."""
    await conversations.joined(tx, call)


async def update_participant(tx: Transaction, call: Call[Any]) -> None:
    """Of oneself and of others a user can change the attributes, and nothing else."""
    conversation, place = await conversations.joined(tx, call)
    participant = await actions.in_path(tx, call, conversation.sid)
    access.must_say_only(call, "Attributes")
    permissions = [Permission.EDIT_ANY_PARTICIPANT_ATTRIBUTES]
    if participant.sid == place.participant_sid:
        permissions.append(Permission.EDIT_OWN_PARTICIPANT_ATTRIBUTES)
    await access.must(tx, call, *permissions, place=place)


async def delete_participant(tx: Transaction, call: Call[Any]) -> None:
    """Removing oneself is leaving."""
    conversation, place = await conversations.joined(tx, call)
    participant = await actions.in_path(tx, call, conversation.sid)
    leaves = participant.sid == place.participant_sid
    permission = Permission.LEAVE_CONVERSATION if leaves else Permission.REMOVE_PARTICIPANT
    await access.must(tx, call, permission, place=place)
