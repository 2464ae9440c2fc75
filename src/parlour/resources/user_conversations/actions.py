"""What happens to the conversations of a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.resources.conversations import actions as conversations
from parlour.resources.conversations import timers
from parlour.resources.participants import actions as participants
from parlour.resources.participants import store as participant_store
from parlour.resources.user_conversations import store
from parlour.resources.users import actions as users
from parlour.vocabulary import event_names, sids
from parlour.vocabulary.dates import updated_at
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


async def in_path(tx: Transaction, call: Call[Any]) -> tuple[Conversation, Participant]:
    """The conversation that the path names, and the user's place in it. Raises 404."""
    user = await users.in_path(tx, call)
    conversation = await conversations.in_path(tx, call)
    participant = await participant_store.find_by_identity(
        tx, call.scope, conversation.sid, user.identity
    )
    if participant is None:
        raise call.not_found(50350)
    return conversation, participant


async def _shown(tx: Transaction, call: Call[Any], participant: Participant) -> UserConversation:
    """The record that is shown of a participant who is a user."""
    assert participant.identity is not None
    found = await store.find(tx, call.scope, participant.identity, participant.conversation_sid)
    assert found is not None, participant.sid
    return found


async def list_user_conversations(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """A page of a user's conversations, closed ones included."""
    user = await users.in_path(tx, call)
    return Rows(await store.page(tx, call.scope, user.identity, call.page_request))


async def fetch_user_conversation(tx: Transaction, call: Call[NoParameters]) -> UserConversation:
    """One conversation of a user."""
    _, participant = await in_path(tx, call)
    return await _shown(tx, call, participant)


def conflict_scope_of_update(call: Call[UpdateUserConversation]) -> ConflictScope | None:
    """How far a change of a user's place reaches: no further than the place."""
    text = call.path["UserSid"]
    subject_sid = sids.normal(text) if sids.is_sid(sids.USER, text) else ""
    return conversations.conflict_scope_in_path(call, subject_sid)


async def update_user_conversation(
    tx: Transaction, call: Call[UpdateUserConversation]
) -> UserConversation:
    """Change how far a user has read, or whether it is notified: webhooks never hear of it."""
    return await _shown(tx, call, await change_place(tx, call, _silent(tx)))


async def change_place(
    tx: Transaction, call: Call[UpdateUserConversation], origin: Origin
) -> Participant:
    """Write what changes of a user's place, and tell of it; of the read horizon, with an origin."""
    conversation, before = await in_path(tx, call)
    change = call.parameters
    timers.must_accept_changes(conversation)
    after = before
    if change.last_read_message_index is not UNSET or change.last_read_timestamp is not UNSET:
        after = participants.with_read_horizon(
            before,
            conversation,
            index=change.last_read_message_index,
            timestamp=change.last_read_timestamp,
            now_ms=tx.now,
        )
        after = msgspec.structs.replace(
            after,
            date_updated=updated_at(
                tx.now, created_ms=before.date_created, updated_ms=before.date_updated
            ),
        )
        await participants.keep_update(tx, call.scope, before, after, origin)
    if isinstance(change.notification_level, str):
        after = msgspec.structs.replace(after, notification_level=change.notification_level)
        await participant_store.change(tx, call.scope, before, after)
        await tx.emit(
            call.scope,
            event_names.USER_CONVERSATION_UPDATED,
            conversation_sid=conversation.sid,
            subject_sid=after.sid,
            payload={"participant": after},
            origin=_silent(tx),
        )
    return after


async def delete_user_conversation(tx: Transaction, call: Call[NoParameters]) -> None:
    """Take a user out of a conversation, as deleting the participant would."""
    conversation, participant = await in_path(tx, call)
    timers.must_accept_changes(conversation)
    await participants.drop_participant(tx, call.scope, participant, _silent(tx))


def _silent(tx: Transaction) -> Origin:
    """Who caused the change, in a way that no webhook hears of it."""
    return msgspec.structs.replace(tx.origin, fires=False)
