"""Actions on user conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.participants import actions as participant_actions
from parlour.resources.participants import store as participant_store
from parlour.resources.user_conversations import store as user_conversation_store
from parlour.resources.users import actions as user_actions
from parlour.vocabulary import event_names, sids
from parlour.vocabulary.dates import updated
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.participants.store import Participant
    from parlour.resources.user_conversations.parameters import UpdateUserConversation
    from parlour.resources.user_conversations.store import UserConversation
    from parlour.store.transaction import ConflictScope, Transaction
    from parlour.vocabulary.origin import Origin


async def membership_in_path(tx: Transaction, call: Call[Any]) -> tuple[Conversation, Participant]:
    """Return the conversation that the path names, and the membership of the user. Raises 404."""
    user = await user_actions.user_in_path(tx, call)
    conversation = await conversation_actions.conversation_in_path(tx, call)
    participant = await participant_store.find_participant_by_identity(
        tx, call.scope, conversation.sid, user.identity
    )
    if participant is None:
        raise call.not_found(50350)
    return conversation, participant


async def _find_user_conversation(
    tx: Transaction, call: Call[Any], participant: Participant
) -> UserConversation:
    """Return the record of a user's membership that is shown."""
    assert participant.identity is not None
    found = await user_conversation_store.find_user_conversation(
        tx, call.scope, participant.identity, participant.conversation_sid
    )
    assert found is not None, participant.sid
    return found


async def list_user_conversations(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of a user's conversations, closed ones included."""
    user = await user_actions.user_in_path(tx, call)
    return Rows(
        await user_conversation_store.list_user_conversations(
            tx, call.scope, user.identity, call.page_request
        )
    )


async def fetch_user_conversation(tx: Transaction, call: Call[NoParameters]) -> UserConversation:
    """Return the user's conversation that the path names."""
    _, participant = await membership_in_path(tx, call)
    return await _find_user_conversation(tx, call, participant)


def conflict_scope_of_update(call: Call[UpdateUserConversation]) -> ConflictScope | None:
    """Return the conflict scope of an update of a membership: that membership alone."""
    text = call.path["UserSid"]
    subject_sid = sids.normal(text) if sids.is_sid(sids.USER, text) else ""
    return conversation_actions.conflict_scope_in_path(call, subject_sid)


async def update_user_conversation(
    tx: Transaction, call: Call[UpdateUserConversation]
) -> UserConversation:
    """Update the read horizon or the notification level, without webhooks."""
    return await _find_user_conversation(
        tx, call, await update_membership(tx, call, _silent_origin(tx))
    )


async def update_membership(
    tx: Transaction, call: Call[UpdateUserConversation], origin: Origin
) -> Participant:
    """Write a changed membership and emit its events; the read horizon's has this origin."""
    conversation, before = await membership_in_path(tx, call)
    change = call.parameters
    conversation_timers.require_changeable(conversation)
    after = before
    if change.last_read_message_index is not UNSET or change.last_read_timestamp is not UNSET:
        after = participant_actions.with_read_horizon(
            before,
            conversation,
            index=change.last_read_message_index,
            timestamp=change.last_read_timestamp,
            now_ms=tx.now,
        )
        after = updated(after, tx.now)
        await participant_actions.save_updated_participant(tx, call.scope, before, after, origin)
    if isinstance(change.notification_level, str):
        after = msgspec.structs.replace(after, notification_level=change.notification_level)
        await participant_store.update_participant_row(tx, call.scope, before, after)
        await tx.emit(
            call.scope,
            event_names.USER_CONVERSATION_UPDATED,
            conversation_sid=conversation.sid,
            subject_sid=after.sid,
            payload={"participant": after},
            origin=_silent_origin(tx),
        )
    return after


async def delete_user_conversation(tx: Transaction, call: Call[NoParameters]) -> None:
    """Remove a user from a conversation, the same as deleting the participant."""
    conversation, participant = await membership_in_path(tx, call)
    conversation_timers.require_changeable(conversation)
    await participant_actions.remove_participant(tx, call.scope, participant, _silent_origin(tx))


def _silent_origin(tx: Transaction) -> Origin:
    """Return the transaction's origin in a form that no webhook is sent for."""
    return msgspec.structs.replace(tx.origin, fires=False)
