"""States and timers: when a conversation becomes inactive or closed by itself.

Both timers count from the creation, from any change of the state or of a timer, and from every
new message. What is kept are the dates at which they will act, so a restart loses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.operations import scoping
from parlour.resources.conversations import store as conversation_store
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.dates import updated_at
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SYSTEM, Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.conversations.store import Conversation
    from parlour.store.transaction import Transaction

INITIALIZING: Final = "initializing"
ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
CLOSED: Final = "closed"

BY_API: Final = "API"
BY_TIMER: Final = "TIMER"
BY_EVENT: Final = "EVENT"

CLOSE_PARTICIPANTS = """
UPDATE participant SET holds_pair = 0, is_open = 0
 WHERE account_sid = $1 AND conversation_sid = $2
"""


def require_changeable(conversation: Conversation) -> None:
    """Raise 50377 for a closed conversation and 50386 for one that is still being made."""
    if conversation.state == CLOSED:
        raise ApiError(50377)
    if conversation.state == INITIALIZING:
        raise ApiError(50386)


def with_restarted_timers(conversation: Conversation, now_ms: int) -> Conversation:
    """Return the conversation with its timers counting from now; closed ones have none."""

    def due(seconds: int | None) -> int | None:
        return now_ms + seconds * 1000 if seconds else None

    return msgspec.structs.replace(
        conversation,
        date_inactive=(
            due(conversation.inactive_timer_seconds) if conversation.state == ACTIVE else None
        ),
        date_closed=(
            due(conversation.closed_timer_seconds) if conversation.state != CLOSED else None
        ),
    )


def with_capped_timers(conversation: Conversation, now_ms: int) -> Conversation:
    """Return the conversation with no timer that ends later than the whole timer from now."""

    def cap(date: int | None, seconds: int | None) -> int | None:
        return date if date is None or not seconds else min(date, now_ms + seconds * 1000)

    return msgspec.structs.replace(
        conversation,
        date_inactive=cap(conversation.date_inactive, conversation.inactive_timer_seconds),
        date_closed=cap(conversation.date_closed, conversation.closed_timer_seconds),
    )


def after_message(conversation: Conversation, activity: int, now_ms: int) -> Conversation:
    """Return the conversation after one more message: active, its timers counting from now.

    ``activity`` is when, in microseconds: what lists are ordered by.
    """
    woken = conversation.state == INACTIVE
    after = msgspec.structs.replace(
        conversation,
        state=ACTIVE if woken else conversation.state,
        date_updated=(
            updated_at(
                now_ms, created_ms=conversation.date_created, updated_ms=conversation.date_updated
            )
            if woken
            else conversation.date_updated
        ),
        next_message_index=conversation.next_message_index + 1,
        last_activity=activity,
    )
    return with_restarted_timers(after, now_ms)


async def emit_state_changed(
    tx: Transaction,
    scope: Scope,
    after: Conversation,
    state_from: str,
    reason: str,
    origin: Origin | None = None,
) -> None:
    """Emit the change of a state; a conversation that closes frees its address pairs."""
    if after.state == CLOSED:
        await tx.run(CLOSE_PARTICIPANTS, scope.account_sid, after.sid)
    await tx.emit(
        scope,
        event_names.ON_CONVERSATION_STATE_UPDATED,
        conversation_sid=after.sid,
        subject_sid=after.sid,
        payload={"conversation": after, "state_from": state_from, "reason": reason},
        origin=origin,
    )


async def fire_due_timers(tx: Transaction) -> None:
    """Fire the timers that are due, up to a number."""
    for found in await conversation_store.list_due_conversations(
        tx, tx.now, limits.TIMERS_PER_STEP_MAX
    ):
        scope = Scope(found.account_sid, found.service_sid)
        # Once more, as a message may have restarted the timers until nobody else may change it.
        conversation = await conversation_store.find_conversation(tx, scope, found.sid)
        if conversation is None or not _is_due(conversation, tx.now):
            continue
        if not await scoping.service_exists(tx, scope):
            # What is below a removed service only waits for its own removal: nobody is told.
            await conversation_store.update_conversation_row(
                tx, scope, _without_timers(conversation)
            )
            continue
        closes = conversation.date_closed is not None and conversation.date_closed <= tx.now
        after = msgspec.structs.replace(
            conversation,
            state=CLOSED if closes else INACTIVE,
            date_inactive=None,
            date_closed=None if closes else conversation.date_closed,
            date_updated=updated_at(
                tx.now, created_ms=conversation.date_created, updated_ms=conversation.date_updated
            ),
        )
        await conversation_store.update_conversation_row(tx, scope, after)
        await emit_state_changed(tx, scope, after, conversation.state, BY_TIMER, SYSTEM)


def _is_due(conversation: Conversation, now_ms: int) -> bool:
    """Return whether one of the timers has passed."""
    timers = (conversation.date_inactive, conversation.date_closed)
    return any(date is not None and date <= now_ms for date in timers)


def _without_timers(conversation: Conversation) -> Conversation:
    """Return the conversation without any timer that could act."""
    return msgspec.structs.replace(conversation, date_inactive=None, date_closed=None)
