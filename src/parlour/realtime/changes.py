"""Mapping from an event of the log to changes of realtime objects, in publishing order.

The payload of an event contains the row as it was at the event, so the changed item is known
without a read. A conversation's document and a receipt's message are read as they are now: a later
event changes them again, with a higher number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from parlour.protocol.sync_events import ADDED, CHANGED, ITEM_REMOVED, REMOVED, UPDATED, Change
from parlour.resources.conversations import representation as conversation_representation
from parlour.resources.conversations import store as conversation_store
from parlour.resources.messages import representation as message_representation
from parlour.resources.messages import store as message_store
from parlour.resources.messages.store import Message  # noqa: TC001 - msgspec reads it.
from parlour.resources.participants import representation as participant_representation
from parlour.resources.participants.store import Participant  # noqa: TC001 - as above.
from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.users import representation as user_representation
from parlour.resources.users import store as user_store
from parlour.vocabulary import event_names
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Collection

    from parlour.resources.users.store import User
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.event import Event

_MESSAGE_VERBS: Final = {
    event_names.ON_MESSAGE_ADDED: ADDED,
    event_names.ON_MESSAGE_UPDATED: UPDATED,
    event_names.ON_MESSAGE_REMOVED: ITEM_REMOVED,
}
_PARTICIPANT_VERBS: Final = {
    event_names.ON_PARTICIPANT_ADDED: ADDED,
    event_names.ON_PARTICIPANT_UPDATED: UPDATED,
    event_names.ON_PARTICIPANT_REMOVED: ITEM_REMOVED,
    event_names.USER_CONVERSATION_UPDATED: UPDATED,
}


class ParticipantPayload(msgspec.Struct, frozen=True):
    """Payload of participant events; ``previous_identity`` only if the identity changed."""

    participant: Participant
    previous_identity: str | msgspec.UnsetType | None = msgspec.UNSET


class _MessagePayload(msgspec.Struct, frozen=True):
    message: Message


class _ReceiptPayload(msgspec.Struct, frozen=True):
    message_sid: str


_participant_decoder = msgspec.json.Decoder(ParticipantPayload)
_message_decoder = msgspec.json.Decoder(_MessagePayload)
_receipt_decoder = msgspec.json.Decoder(_ReceiptPayload)


class RemovedMember(NamedTuple):
    """A user who is no participant of a conversation any more."""

    identity: str
    conversation_sid: str


def participant_payload(event: Event) -> ParticipantPayload | None:
    """Return the participant of an event; None for events of other resources."""
    return _participant_decoder.decode(event.payload) if event.name in _PARTICIPANT_VERBS else None


def removed_member(event: Event, payload: ParticipantPayload) -> RemovedMember | None:
    """Return the user whom the event removed from a conversation, if any."""
    identity = payload.previous_identity
    if event.name == event_names.ON_PARTICIPANT_REMOVED:
        identity = payload.participant.identity
    return RemovedMember(identity, event.conversation_sid) if isinstance(identity, str) else None


async def read_changes(tx: Transaction, event: Event) -> list[Change]:
    """Return all changes of objects by an event, the most specific first."""
    read = _READERS.get(event.name)
    scope = Scope(event.account_sid, event.service_sid)
    return [] if read is None else await read(tx, scope, event)


async def read_conversation_changes(
    tx: Transaction, event: Event, kinds: Collection[ObjectKind]
) -> list[Change]:
    """Return the changes of a conversation's list and roster, for the requested kinds only.

    Other objects that the event changes are not read.
    """
    scope = Scope(event.account_sid, event.service_sid)
    if event.name in _MESSAGE_VERBS:
        return [_list_change(event)] if ObjectKind.MESSAGES in kinds else []
    if event.name in _PARTICIPANT_VERBS:
        return await _roster_changes(tx, scope, event) if ObjectKind.ROSTER in kinds else []
    is_needed = ObjectKind.MESSAGES in kinds or ObjectKind.ROSTER in kinds
    found = await read_changes(tx, event) if is_needed else []
    return [change for change in found if change.name.kind in kinds]


async def _removal_changes(tx: Transaction, scope: Scope, event: Event) -> list[Change]:
    """Remove all objects of the conversation, the document last."""
    del tx, scope
    return [
        Change(ObjectName(kind, event.conversation_sid), REMOVED)
        for kind in (ObjectKind.MESSAGES, ObjectKind.ROSTER, ObjectKind.CONVERSATION)
    ]


async def _document_changes(tx: Transaction, scope: Scope, event: Event) -> list[Change]:
    conversation_sid = event.conversation_sid
    conversation = await conversation_store.find_conversation(tx, scope, conversation_sid)
    if conversation is None:  # Removed since: its own event is published later.
        return []
    last = await message_store.find_last_message(tx, scope, conversation_sid)
    value = conversation_representation.realtime_document(conversation, last)
    return [Change(ObjectName(ObjectKind.CONVERSATION, conversation_sid), CHANGED, None, value)]


async def _message_changes(tx: Transaction, scope: Scope, event: Event) -> list[Change]:
    changes = [_list_change(event)]
    if event.name == event_names.ON_MESSAGE_UPDATED:
        return changes
    return changes + await _document_changes(tx, scope, event)


def _list_change(event: Event) -> Change:
    message = _message_decoder.decode(event.payload).message
    name = ObjectName(ObjectKind.MESSAGES, event.conversation_sid)
    value = message_representation.realtime_item(message)
    return Change(name, _MESSAGE_VERBS[event.name], message.message_index, value)


async def _receipt_changes(tx: Transaction, scope: Scope, event: Event) -> list[Change]:
    sid = _receipt_decoder.decode(event.payload).message_sid
    message = await message_store.find_message(tx, scope, event.conversation_sid, sid)
    if message is None:
        return []
    name = ObjectName(ObjectKind.MESSAGES, event.conversation_sid)
    return [
        Change(name, UPDATED, message.message_index, message_representation.realtime_item(message))
    ]


async def _roster_changes(tx: Transaction, scope: Scope, event: Event) -> list[Change]:
    if event.name == event_names.USER_CONVERSATION_UPDATED:
        return []
    participant = _participant_decoder.decode(event.payload).participant
    user = await _find_user(tx, scope, participant.identity)
    return [_roster_change(event, participant, user)]


def _roster_change(event: Event, participant: Participant, user: User | None) -> Change:
    roster = ObjectName(ObjectKind.ROSTER, event.conversation_sid)
    value = participant_representation.realtime_item(participant, user.sid if user else None)
    return Change(roster, _PARTICIPANT_VERBS[event.name], participant.sid, value)


async def _participant_changes(tx: Transaction, scope: Scope, event: Event) -> list[Change]:
    payload = _participant_decoder.decode(event.payload)
    participant, verb = payload.participant, _PARTICIPANT_VERBS[event.name]
    changes = []
    user = await _find_user(tx, scope, participant.identity)
    if event.name != event_names.USER_CONVERSATION_UPDATED:
        changes.append(_roster_change(event, participant, user))
    own = participant_representation.my_conversation_item(participant)
    # If the identity was replaced, the conversation moves from one user's map to another's.
    is_same = payload.previous_identity is msgspec.UNSET
    previous = None if is_same else await _find_user(tx, scope, payload.previous_identity)
    if previous is not None:
        name = ObjectName(ObjectKind.MY_CONVERSATIONS, previous.sid)
        changes.append(Change(name, ITEM_REMOVED, event.conversation_sid, own))
    if user is not None:
        name = ObjectName(ObjectKind.MY_CONVERSATIONS, user.sid)
        changes.append(Change(name, verb if is_same else ADDED, event.conversation_sid, own))
    return changes


async def _find_user(tx: Transaction, scope: Scope, identity: object) -> User | None:
    found = isinstance(identity, str)
    return await user_store.find_user_by_identity(tx, scope, str(identity)) if found else None


async def _user_changes(tx: Transaction, scope: Scope, event: Event) -> list[Change]:
    user_sid = event.subject_sid
    user = await user_store.find_user(tx, scope, user_sid)
    if user is None:
        return []
    configuration = await service_configuration_store.get_service_configuration(tx, scope)
    name = ObjectName(ObjectKind.USER_INFO, user_sid)
    shown = user_representation.realtime_items(
        user, shows_reachability=bool(configuration.reachability_enabled)
    )
    return [Change(name, UPDATED, key, value) for key, value in shown.items()]


_READERS: Final = {
    **dict.fromkeys(_MESSAGE_VERBS, _message_changes),
    **dict.fromkeys(_PARTICIPANT_VERBS, _participant_changes),
    event_names.ON_DELIVERY_UPDATED: _receipt_changes,
    event_names.ON_CONVERSATION_UPDATED: _document_changes,
    event_names.ON_CONVERSATION_STATE_UPDATED: _document_changes,
    event_names.ON_CONVERSATION_REMOVED: _removal_changes,
    event_names.ON_USER_UPDATED: _user_changes,
    event_names.USER_REACHABILITY_UPDATED: _user_changes,
}
_NO_CHANGES: Final = {
    event_names.ON_CONVERSATION_ADDED: "clients are notified of its first participant",
    event_names.ON_USER_ADDED: "a user document is read when it is opened",
    event_names.USER_REMOVED: "closes the connections of the user (event_feed.py)",
    event_names.RECEIPT_ADDED: "the receipt is pending; onDeliveryUpdated contains its status",
    event_names.ROLE_CHANGED: "permissions are read with each command",
    event_names.SERVICE_CHANGED: "causes a check of connections' rights (event_feed.py)",
    event_names.ACCOUNT_CHANGED: "causes a check of connections' rights (event_feed.py)",
    event_names.SCOPED_WEBHOOK_ADDED: "webhooks are no realtime objects",
    event_names.SCOPED_WEBHOOK_CHANGED: "webhooks are no realtime objects",
    event_names.VIRTUAL_PHONE_CHANGED: "virtual phones are outside the chat",
    event_names.WEBHOOKS_CHANGED: "webhooks are no realtime objects",
    event_names.WEBHOOKS_REPLAYED: "webhooks are no realtime objects",
}
"""Events that change no realtime object, and why."""


def unmapped(names: Collection[str]) -> set[str]:
    """Return the events that have neither a reader nor a reason to have none, or have both."""
    return set(names) ^ (_READERS.keys() ^ _NO_CHANGES.keys())


# An event without a mapping would never reach a client: the server does not start.
if _unmapped := unmapped(event_names.ALL):
    raise RuntimeError(f"add {sorted(_unmapped)} to either _READERS or _NO_CHANGES, not both")
