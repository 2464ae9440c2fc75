"""Actions on conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import Rows
from parlour.protocol.durations import parse_duration
from parlour.resources.configuration import store as configuration_store
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.conversations.store import Conversation
from parlour.resources.in_path import in_path
from parlour.store.transaction import ConflictScope
from parlour.vocabulary import event_names, sids
from parlour.vocabulary.dates import updated_at
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import UNSET, Unset, given_or

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.protocol.pages import PageRequest
    from parlour.resources.conversations.parameters import (
        CreateConversation,
        ListConversations,
        UpdateConversation,
    )
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

CREATED_BY_API = "system"
_FIRST_MS = -(1 << 46)
_LAST_MS = 1 << 48


# A unique name in the form of a SID is rejected (50390).
conversation_in_path = in_path(
    sids.CONVERSATION,
    conversation_store.find_conversation,
    conversation_store.find_conversation_by_unique_name,
    variable="ConversationSid",
    code=50350,
    names_like_sids=False,
)
conversation_sid_in_path = in_path(
    sids.CONVERSATION,
    conversation_store.find_conversation_sid,
    conversation_store.find_conversation_sid_by_unique_name,
    variable="ConversationSid",
    code=50350,
    names_like_sids=False,
)


def conflict_scope_in_path(call: Call[Any], subject_sid: str = "") -> ConflictScope | None:
    """Return the scope of a change limited to the conversation in the path, given by its sid."""
    sid = sids.parse(sids.CONVERSATION, call.path["ConversationSid"])
    if sid is None:
        return None
    kind = f"{call.operation.operation_id} {call.path.get('ChatServiceSid', '')}"
    return ConflictScope(sid, subject_sid, kind)


async def create_conversation(tx: Transaction, call: Call[CreateConversation]) -> Conversation:
    """Create a conversation. Its creator is not added as a participant."""
    conversation = await build_conversation(tx, call.scope, call.parameters)
    await save_new_conversation(tx, call.scope, conversation)
    return conversation


async def save_new_conversation(tx: Transaction, scope: Scope, conversation: Conversation) -> None:
    """Insert a conversation and emit its event."""
    await conversation_store.insert_conversation(tx, scope, conversation)
    await tx.emit(
        scope,
        event_names.ON_CONVERSATION_ADDED,
        conversation_sid=conversation.sid,
        subject_sid=conversation.sid,
        payload={"conversation": conversation},
    )


async def build_conversation(
    tx: Transaction, scope: Scope, change: CreateConversation
) -> Conversation:
    """Return the record of a new conversation, validated but not inserted."""
    state = conversation_timers.ACTIVE if change.state is UNSET else change.state
    if state == conversation_timers.CLOSED:
        raise ApiError(50384)
    defaults = await configuration_store.get_configuration(tx, scope)
    if isinstance(change.unique_name, str):
        await _require_free_unique_name(tx, scope, change.unique_name)
    sequence = tx.next_sequence()
    created = given_or(change.date_created, tx.now)
    order = sequence if change.date_created is UNSET else _order(created, sequence)
    conversation = Conversation(
        account_sid=scope.account_sid,
        service_sid=scope.service_sid,
        sid=tx.new_sid(sids.CONVERSATION),
        sequence=sequence,
        messaging_service_sid=given_or(
            change.messaging_service_sid, defaults.default_messaging_service_sid
        ),
        friendly_name=given_or(change.friendly_name, None),
        unique_name=given_or(change.unique_name, None),
        attributes=given_or(change.attributes, "{}"),
        state=state,
        date_created=created,
        date_updated=given_or(change.date_updated, created),
        inactive_timer_seconds=_timer(change.timers_inactive, defaults.default_inactive_timer),
        closed_timer_seconds=_timer(change.timers_closed, defaults.default_closed_timer),
        date_inactive=None,
        date_closed=None,
        email_address=given_or(change.bindings_email_address, None),
        email_name=given_or(change.bindings_email_name, None),
        created_by=tx.origin.client_identity or CREATED_BY_API,
        next_message_index=0,
        removed_messages=0,
        created_order=order,
        last_activity=order,
        pending_participants=None,
    )
    return conversation_timers.with_restarted_timers(conversation, tx.now)


def _order(date_ms: int, sequence: int) -> int:
    """Return microseconds that order by date, and by creation within one millisecond."""
    return date_ms * 1000 + sequence % 1000


def _timer(seconds: int | Unset, default: str | None) -> int | None:
    """Return the seconds of a timer; None when it is off."""
    if isinstance(seconds, int):
        return seconds or None
    return (parse_duration(default) or None) if default else None


async def _require_free_unique_name(
    tx: Transaction, scope: Scope, unique_name: str, own_sid: str | None = None
) -> None:
    holder = await conversation_store.find_conversation_by_unique_name(tx, scope, unique_name)
    if holder is not None and holder.sid != own_sid:
        raise ApiError(50353)


async def fetch_conversation(tx: Transaction, call: Call[NoParameters]) -> Conversation:
    """Return the conversation that the path names."""
    return await conversation_in_path(tx, call, variable="Sid")


async def list_conversations(tx: Transaction, call: Call[ListConversations]) -> Rows:
    """Return a page of conversations, by last activity; by creation date if a filter is given."""
    return await list_filtered(tx, call.scope, call.parameters, call.page_request)


async def list_filtered(
    tx: Transaction, scope: Scope, filters: ListConversations, request: PageRequest
) -> Rows:
    """Return a page of a service's conversations, in the order of ``list_conversations``."""
    if filters.state is UNSET and filters.start_date is UNSET and filters.end_date is UNSET:
        found = await conversation_store.list_conversations_by_activity(tx, scope, request)
        return Rows(found, order="last_activity")
    since: int = given_or(filters.start_date, _FIRST_MS)
    until: int = given_or(filters.end_date, _LAST_MS)
    if filters.start_date is not UNSET and filters.end_date is not UNSET and since >= until:
        raise ApiError(50396)
    found = await conversation_store.list_conversations_by_date(
        tx,
        scope,
        request,
        state=given_or(filters.state, None),
        since_ms=since,
        until_ms=until,
    )
    return Rows(found, order="created_order")


async def update_conversation(tx: Transaction, call: Call[UpdateConversation]) -> Conversation:
    """Update a conversation. A closed one rejects every change."""
    before = await conversation_in_path(tx, call, variable="Sid")
    change = call.parameters
    conversation_timers.require_changeable(before)
    if isinstance(change.unique_name, str):
        await _require_free_unique_name(tx, call.scope, change.unique_name, before.sid)
    after = _changed(before, change, tx.now)
    await conversation_store.update_conversation_row(tx, call.scope, after)
    await tx.emit(
        call.scope,
        event_names.ON_CONVERSATION_UPDATED,
        conversation_sid=after.sid,
        subject_sid=after.sid,
        payload={"conversation": after, "previous_date_updated": before.date_updated},
    )
    if after.state != before.state:
        await conversation_timers.emit_state_changed(
            tx, call.scope, after, before.state, conversation_timers.BY_API
        )
    return after


def _changed(before: Conversation, change: UpdateConversation, now_ms: int) -> Conversation:
    """Return the conversation after the change."""
    created = given_or(change.date_created, before.date_created)
    moved = change.date_created is not UNSET
    order = _order(created, before.sequence) if moved else before.created_order
    unread = before.next_message_index == 0
    after = msgspec.structs.replace(
        before,
        messaging_service_sid=given_or(change.messaging_service_sid, before.messaging_service_sid),
        friendly_name=given_or(change.friendly_name, before.friendly_name),
        unique_name=given_or(change.unique_name, before.unique_name),
        attributes=given_or(change.attributes, before.attributes),
        state=given_or(change.state, before.state),
        date_created=created,
        date_updated=given_or(
            change.date_updated,
            updated_at(now_ms, created_ms=created, updated_ms=before.date_updated),
        ),
        inactive_timer_seconds=_changed_timer(
            change.timers_inactive, before.inactive_timer_seconds
        ),
        closed_timer_seconds=_changed_timer(change.timers_closed, before.closed_timer_seconds),
        email_address=given_or(change.bindings_email_address, before.email_address),
        email_name=given_or(change.bindings_email_name, before.email_name),
        created_order=order,
        last_activity=order if moved and unread else before.last_activity,
    )
    timed = change.timers_inactive is not UNSET or change.timers_closed is not UNSET
    if timed or after.state != before.state:
        return conversation_timers.with_restarted_timers(after, now_ms)
    return after


def _changed_timer(seconds: int | Unset, before: int | None) -> int | None:
    return (seconds or None) if isinstance(seconds, int) else before
