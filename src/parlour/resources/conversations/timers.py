"""States and timers: the transitions of a conversation to inactive and closed.

Both timers restart on creation, on any change of the state or of a timer, and on every new
message. The expiry dates are stored in the row, so timers survive a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.operations import scoping
from parlour.resources.conversations import store as conversation_store
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.dates import updated, updated_at
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SYSTEM, Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.conversations.store import Conversation
    from parlour.store.transaction import Transaction

# The states of a conversation. Closed is final: every later change is rejected (50377).
#
# | from             | trigger                         | to                       | reason |
# |------------------|---------------------------------|--------------------------|--------|
# | initializing     | participants added              | the requested state      | EVENT  |
# | initializing     | adding participants failed      | closed                   | EVENT  |
# | active           | inactive timer                  | inactive                 | TIMER  |
# | active, inactive | closed timer                    | closed                   | TIMER  |
# | inactive         | new message                     | active                   | EVENT  |
# | active, inactive | update                          | active, inactive, closed | API    |
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
    """Raise 50377 for a closed conversation and 50386 for one that is initializing."""
    if conversation.state == CLOSED:
        raise ApiError(50377)
    if conversation.state == INITIALIZING:
        raise ApiError(50386)


def with_restarted_timers(conversation: Conversation, now_ms: int) -> Conversation:
    """Return the conversation with its timers restarted now; closed ones have none."""

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
    """Return the conversation with each timer ending at most its full duration from now."""

    def cap(date: int | None, seconds: int | None) -> int | None:
        return date if date is None or not seconds else min(date, now_ms + seconds * 1000)

    return msgspec.structs.replace(
        conversation,
        date_inactive=cap(conversation.date_inactive, conversation.inactive_timer_seconds),
        date_closed=cap(conversation.date_closed, conversation.closed_timer_seconds),
    )


def after_message(conversation: Conversation, activity: int, now_ms: int) -> Conversation:
    """Return the conversation after a new message: active, with its timers restarted.

    ``activity`` is the sort key of lists by last activity, in microseconds.
    """
    activates = conversation.state == INACTIVE
    after = msgspec.structs.replace(
        conversation,
        state=ACTIVE if activates else conversation.state,
        date_updated=(
            updated_at(
                now_ms, created_ms=conversation.date_created, updated_ms=conversation.date_updated
            )
            if activates
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
    """Emit a state transition; a conversation that closes releases its address pairs."""
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
    """Apply the expired timers, up to a limit for each step."""
    for found in await conversation_store.list_due_conversations(
        tx, tx.now, limits.TIMERS_PER_STEP_MAX
    ):
        scope = Scope(found.account_sid, found.service_sid)
        # Read again under the row lock: a message may have restarted the timers since the listing.
        conversation = await conversation_store.find_conversation(tx, scope, found.sid)
        if conversation is None or not _is_due(conversation, tx.now):
            continue
        if not await scoping.service_exists(tx, scope):
            # Rows of a deleted service wait for the purge: no event is emitted for them.
            await conversation_store.update_conversation_row(
                tx, scope, _without_timers(conversation)
            )
            continue
        closes = conversation.date_closed is not None and conversation.date_closed <= tx.now
        after = updated(
            conversation,
            tx.now,
            state=CLOSED if closes else INACTIVE,
            date_inactive=None,
            date_closed=None if closes else conversation.date_closed,
        )
        await conversation_store.update_conversation_row(tx, scope, after)
        await emit_state_changed(tx, scope, after, conversation.state, BY_TIMER, SYSTEM)


def _is_due(conversation: Conversation, now_ms: int) -> bool:
    """Return whether one of the timers has expired."""
    timers = (conversation.date_inactive, conversation.date_closed)
    return any(date is not None and date <= now_ms for date in timers)


def _without_timers(conversation: Conversation) -> Conversation:
    """Return the conversation with both timers off."""
    return msgspec.structs.replace(conversation, date_inactive=None, date_closed=None)
