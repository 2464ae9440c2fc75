"""Permits for participants, which differ between oneself and others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations import access
from parlour.resources.conversations import permits as conversation_permits
from parlour.resources.participants import actions as participant_actions
from parlour.vocabulary.permissions import Permission
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.resources.participants.parameters import CreateParticipant
    from parlour.store.transaction import Transaction


async def create_participant(tx: Transaction, call: Call[CreateParticipant]) -> None:
    """Require the permission to join, or to add another participant, by chat or by address."""
    _, membership = await conversation_permits.visible_conversation(tx, call)
    access.allow_only(
        call,
        "Identity",
        "Attributes",
        "MessagingBinding.Address",
        "MessagingBinding.ProxyAddress",
        "MessagingBinding.Level",
        "MessagingBinding.Name",
    )
    identity = call.parameters.identity
    if identity is UNSET:
        await access.require_permission(
            tx, call, Permission.ADD_NON_CHAT_PARTICIPANT, membership=membership
        )
    elif identity == access.caller_identity(call):
        await access.require_permission(
            tx, call, Permission.JOIN_CONVERSATION, membership=membership
        )
    else:
        await access.require_permission(tx, call, Permission.ADD_PARTICIPANT, membership=membership)


async def fetch_own_participant(tx: Transaction, call: Call[Any]) -> None:
    """Require that the user is a participant."""
    await conversation_permits.joined_conversation(tx, call)


async def update_participant(tx: Transaction, call: Call[Any]) -> None:
    """Require a permission to change attributes, of oneself or of any; nothing else can change."""
    conversation, membership = await conversation_permits.joined_conversation(tx, call)
    participant = await participant_actions.participant_in_path(tx, call, conversation.sid)
    access.allow_only(call, "Attributes")
    permissions = [Permission.EDIT_ANY_PARTICIPANT_ATTRIBUTES]
    if participant.sid == membership.participant_sid:
        permissions.append(Permission.EDIT_OWN_PARTICIPANT_ATTRIBUTES)
    await access.require_permission(tx, call, *permissions, membership=membership)


async def delete_participant(tx: Transaction, call: Call[Any]) -> None:
    """Require the permission to leave, or to remove another participant."""
    conversation, membership = await conversation_permits.joined_conversation(tx, call)
    participant = await participant_actions.participant_in_path(tx, call, conversation.sid)
    leaves = participant.sid == membership.participant_sid
    permission = Permission.LEAVE_CONVERSATION if leaves else Permission.REMOVE_PARTICIPANT
    await access.require_permission(tx, call, permission, membership=membership)
