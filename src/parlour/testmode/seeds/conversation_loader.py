"""Loads one conversation of a seed: its webhooks, participants, messages and receipts, its state.

The conversation is active while it is filled. Its final state, its timers and its place in lists
are set at the end: timers count from the time of the load, not from messages of the past, and the
list by last activity follows the dates of the messages.

Nothing is sent to carriers, and no webhook replays messages: a seed describes the past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from parlour.protocol.addresses import normalise_address
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.conversations.parameters import CreateConversation
from parlour.resources.messages import actions as message_actions
from parlour.resources.messages import store as message_store
from parlour.resources.messages.parameters import CreateMessage
from parlour.resources.participants import actions as participant_actions
from parlour.resources.participants import groups as participant_groups
from parlour.resources.participants import store as participant_store
from parlour.resources.participants.parameters import CreateParticipant
from parlour.resources.scoped_webhooks import actions as scoped_webhook_actions
from parlour.resources.scoped_webhooks import store as scoped_webhook_store
from parlour.resources.scoped_webhooks.parameters import WEBHOOK, CreateScopedWebhook
from parlour.testmode.seeds.errors import seed_error
from parlour.testmode.seeds.loading import errors_of
from parlour.testmode.seeds.receipt_loader import load_receipts
from parlour.vocabulary import sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import API, SDK, Origin
from parlour.vocabulary.unset import UNSET

if TYPE_CHECKING:
    from parlour.resources.conversations.store import Conversation
    from parlour.resources.messages.store import Message
    from parlour.resources.participants.store import Participant
    from parlour.testmode.seeds.items import SeedItem
    from parlour.testmode.seeds.loading import Loading
    from parlour.vocabulary.scope import Scope

_MICROSECONDS: Final = 1000
_READING: Final = ("last_read_message_index", "last_read_timestamp", "notification_level")


class _OpenConversation(NamedTuple):
    """The conversation that is loaded."""

    loading: Loading
    item: SeedItem
    scope: Scope
    sid: str
    created_ms: int | None
    """The date of the conversation; None if that is the time of the load."""


async def load_conversation(loading: Loading, item: SeedItem, position: int) -> None:
    """Create a conversation with everything in it. ``position`` is its place in the seed."""
    scope = await loading.scope_of(item)
    created_ms = _created_ms(loading, item)
    conversation = await _create(loading, item, scope, created_ms)
    place = _OpenConversation(loading, item, scope, conversation.sid, created_ms)
    loading.record(item, conversation.sid)
    for each in item.items("webhooks"):
        await _load_webhook(place, each, conversation)
    participants = [
        await _load_participant(place, each, conversation) for each in item.items("participants")
    ]
    await _require_unique_group(place, participants)
    last_ms, removed = None, 0
    for each in item.items("messages"):
        message, gap = await _load_message(place, each, participants)
        removed += gap
        last_ms = message.date_created if each.get("date_created") is not None else None
    await _finish(place, position, removed=removed, last_ms=last_ms)
    for each, participant in zip(item.items("participants"), participants, strict=True):
        await _load_reading(place, each, participant)
    await _close(place)


def _created_ms(loading: Loading, item: SeedItem) -> int | None:
    """Return the date of a conversation: its own, else the date of its oldest message."""
    load_ms = loading.tx.load_ms
    own = item.date("date_created", load_ms)
    if own is not None:
        return own
    dates = [each.date("date_created", load_ms) for each in item.items("messages")]
    return min((date for date in dates if date is not None and date < load_ms), default=None)


async def _create(
    loading: Loading, item: SeedItem, scope: Scope, created_ms: int | None
) -> Conversation:
    tx = loading.tx
    creator = item.get("created_by")
    tx.begin(created_ms, origin=None if creator is None else Origin(SDK, creator))
    await loading.give_sid(item, sids.CONVERSATION)
    with errors_of(item):
        change = CreateConversation.parse(item.form(CreateConversation, tx.load_ms))
        conversation = await conversation_actions.build_conversation(tx, scope, change)
        conversation = conversation_timers.with_restarted_timers(conversation, tx.load_ms)
        await conversation_actions.save_new_conversation(tx, scope, conversation)
    return conversation


async def _load_webhook(
    place: _OpenConversation, item: SeedItem, conversation: Conversation
) -> None:
    loading, scope = place.loading, place.scope
    tx = loading.tx
    loading.begin(item)
    await loading.give_sid(item, sids.SCOPED_WEBHOOK)
    with errors_of(item):
        form = {"Target": [WEBHOOK]} | item.form(CreateScopedWebhook, tx.load_ms)
        webhook = await scoped_webhook_actions.add_scoped_webhook(
            tx, scope, conversation, CreateScopedWebhook.parse(form)
        )
    updated = item.date("date_updated", tx.load_ms)
    if updated is not None:
        changed = msgspec.structs.replace(webhook, date_updated=updated)
        await scoped_webhook_store.update_scoped_webhook_row(tx, scope, changed)
    loading.record(item, webhook.sid)


# --- Participants ---------------------------------------------------------------------------


async def _load_participant(
    place: _OpenConversation, item: SeedItem, conversation: Conversation
) -> Participant:
    """Add a participant. In a closed conversation it holds no address pair."""
    loading, scope = place.loading, place.scope
    tx = loading.tx
    loading.begin(item, place.created_ms)
    await loading.give_sid(item, sids.PARTICIPANT)
    role_sid = await loading.role_sid(scope, item, "role")
    with errors_of(item):
        form = item.form(CreateParticipant, tx.load_ms)
        if role_sid is not None:
            form["RoleSid"] = [role_sid]
        change = CreateParticipant.parse(form)
        if place.item.get("state") == conversation_timers.CLOSED:
            participant = await participant_actions.build_participant(
                tx, scope, conversation, change
            )
            await _require_new_identity(place, participant)
            participant = msgspec.structs.replace(participant, holds_pair=0, is_open=0)
            await participant_actions.save_new_participant(tx, scope, participant)
        else:
            participant = await participant_actions.add_participant(
                tx, scope, conversation, change, is_group_complete=False
            )
    loading.record(item, participant.sid)
    return participant


async def _require_new_identity(place: _OpenConversation, participant: Participant) -> None:
    identity = participant.identity
    if identity is None:
        return
    tx = place.loading.tx
    found = await participant_store.find_participant_by_identity(
        tx, place.scope, place.sid, identity
    )
    if found is not None:
        raise ApiError(50433)


async def _require_unique_group(place: _OpenConversation, participants: list[Participant]) -> None:
    """Raise 50438 if another open conversation is a group of the same numbers."""
    if place.item.get("state") == conversation_timers.CLOSED:
        return
    with errors_of(place.item):
        await participant_groups.require_unique_group(
            place.loading.tx, place.scope, place.sid, [], participants
        )


async def _load_reading(place: _OpenConversation, item: SeedItem, before: Participant) -> None:
    """Set what a participant has read, and its notifications, after all messages exist."""
    if all(item.get(name) is None for name in _READING):
        return
    loading, scope = place.loading, place.scope
    tx = loading.tx
    tx.begin()
    conversation = await _conversation(place)
    read_ms = item.date("last_read_timestamp", tx.load_ms)
    after = participant_actions.with_read_horizon(
        before,
        conversation,
        index=item.get("last_read_message_index", UNSET),
        timestamp=UNSET if read_ms is None else read_ms,
        now_ms=tx.load_ms,
    )
    level = item.get("notification_level", before.notification_level)
    after = msgspec.structs.replace(after, notification_level=level)
    await participant_actions.save_updated_participant(tx, scope, before, after)


# --- Messages -------------------------------------------------------------------------------


async def _load_message(
    place: _OpenConversation, item: SeedItem, participants: list[Participant]
) -> tuple[Message, int]:
    """Create a message; return it, and how many indexes before it have no message."""
    loading, scope = place.loading, place.scope
    tx = loading.tx
    conversation = await _conversation(place)
    gap = _gap(item, "index", conversation)
    conversation = msgspec.structs.replace(
        conversation, next_message_index=conversation.next_message_index + gap
    )
    # The timers restart with each message: from the time of the load.
    tx.begin(origin=_origin_of(item, participants))
    await loading.give_sid(item, sids.MESSAGE)
    with errors_of(item):
        change = CreateMessage.parse(item.form(CreateMessage, tx.load_ms))
        message = await message_actions.add_message(tx, scope, conversation, change, is_sent=False)
    editor = item.get("last_updated_by")
    if editor is not None:
        message = msgspec.structs.replace(message, last_updated_by=editor)
        await message_store.update_message_row(tx, scope, message)
    loading.record(item, message.sid)
    await load_receipts(loading, scope, item, message, participants)
    return message, gap


def _origin_of(item: SeedItem, participants: list[Participant]) -> Origin:
    """Return the origin of a message: a client, the channel of its author, or the API."""
    author = item.get("author")
    source = item.get("source")
    if source is None:
        address = None if author is None else normalise_address(author)
        found = next((each for each in participants if address and each.address == address), None)
        source = API if found is None or found.binding_type is None else found.binding_type.upper()
    return Origin(source, author if source == SDK else None)


def _gap(item: SeedItem, name: str, conversation: Conversation) -> int:
    """Return how many indexes are left out before a given one."""
    given: int = item.get(name, conversation.next_message_index)
    gap = given - conversation.next_message_index
    if gap < 0:
        raise seed_error(
            f"{item.path}.{name}", f"must be at least {conversation.next_message_index}"
        )
    return gap


# --- The end --------------------------------------------------------------------------------


async def _conversation(place: _OpenConversation) -> Conversation:
    found = await conversation_store.find_conversation(place.loading.tx, place.scope, place.sid)
    assert found is not None
    return found


async def _finish(
    place: _OpenConversation, position: int, *, removed: int, last_ms: int | None
) -> None:
    """Set the indexes without messages, the timers, and the place in lists."""
    item, tx = place.item, place.loading.tx
    before = await _conversation(place)
    gap = _gap(item, "next_message_index", before)
    changes: dict[str, Any] = {
        "next_message_index": before.next_message_index + gap,
        "removed_messages": removed + gap,
    }
    if place.created_ms is not None:
        order = before.date_created * _MICROSECONDS + position
        changes |= {"created_order": order}
        if not item.items("messages"):
            changes |= {"last_activity": order}
    if last_ms is not None:
        changes |= {"last_activity": last_ms * _MICROSECONDS + position}
    timers = item.part("timers")
    for name in ("date_inactive", "date_closed"):
        date = None if timers is None else timers.date(name, tx.load_ms)
        if timers is None or date is None:
            continue
        if getattr(before, name) is None:
            raise seed_error(f"{timers.path}.{name}", "the conversation has no such timer")
        changes[name] = date
    after = msgspec.structs.replace(before, **changes)
    if after != before:
        await conversation_store.update_conversation_row(tx, place.scope, after)


async def _close(place: _OpenConversation) -> None:
    """Set the state, unless it is active."""
    state = place.item.get("state", conversation_timers.ACTIVE)
    if state == conversation_timers.ACTIVE:
        return
    tx = place.loading.tx
    tx.begin()
    before = await _conversation(place)
    after = msgspec.structs.replace(
        before,
        state=state,
        date_inactive=None,
        date_closed=None if state == conversation_timers.CLOSED else before.date_closed,
    )
    await conversation_store.update_conversation_row(tx, place.scope, after)
    await conversation_timers.emit_state_changed(
        tx, place.scope, after, before.state, conversation_timers.BY_API
    )
