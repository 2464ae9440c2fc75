"""The parameters of webhook requests, for every pre-action and post-action event.

One table for each kind of record maps parameters to members of the payload, with the format and
the phases in which the parameter is present. A parameter without a value is omitted, never sent
empty. Names and presence: docs/reference/quirks.md#webhook-parameters.

Payloads are decoded without a schema: an event of an older version may lack a member, and then the
parameter is omitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from parlour.protocol.timestamps import format_date_ms
from parlour.resources.media import attachments as media_attachments
from parlour.vocabulary import event_names
from parlour.vocabulary.origin import SDK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from parlour.store.transaction import EmittedEvent
    from parlour.vocabulary.event import Event

POST_ACTION_OF: Final = {
    before: before + ("d" if before.endswith("e") else "ed") for before in event_names.PRE_ACTION
}
"""The post-action event of each pre-action event."""
assert set(POST_ACTION_OF.values()) <= set(event_names.POST_ACTION)

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

# --- Formats. An empty text omits the parameter. ------------------------------------------


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _date(value: Any) -> str:
    return "" if value is None else format_date_ms(value)


def _boolean(value: Any) -> str:
    return "" if value is None else ("true" if value else "false")


def _binding_type(value: Any) -> str:
    return value or "chat"


def _addresses(value: Any) -> str:
    """Return one address, or the addresses of a group message, separated by commas."""
    return ",".join(value) if isinstance(value, list) else _text(value)


def _media(value: Any) -> str:
    """Return the attachments of a message as JSON, from their stored JSON."""
    shown = media_attachments.represent_attachments(value or None, media_attachments.WEBHOOKS)
    written: bytes = _encode(shown)
    return written.decode() if shown else ""


# --- Tables -------------------------------------------------------------------------------

# A phase is the end of an event's name. "Add", "Update" and "Remove" are before the action,
# "Added", "Updated" and "Removed" after it. Before a creation ("Add") there is no SID and no date.
_EVERY: Final = frozenset("Add Added Update Updated Remove Removed".split())
_KEPT: Final = _EVERY - {"Add"}
_CHANGED: Final = _KEPT - {"Added"}
_REMOVED: Final = frozenset({"Removed"})
_CREATED: Final = frozenset({"Add", "Added"})


class _Parameter(NamedTuple):
    """One parameter: its name, the member of the payload, its format and its phases."""

    name: str
    member: str
    write: Callable[[Any], str] = _text
    phases: frozenset[str] = _EVERY


_DATES: Final = (
    _Parameter("DateCreated", "date_created", _date, _KEPT),
    _Parameter("DateUpdated", "date_updated", _date, _CHANGED),
    _Parameter("DateRemoved", "date_removed", _date, _REMOVED),
)
_MESSAGE: Final = (
    *_DATES,
    _Parameter("ConversationSid", "conversation_sid"),
    _Parameter("MessageSid", "sid", phases=_KEPT),
    _Parameter("Index", "message_index", phases=_KEPT),
    _Parameter("MessagingServiceSid", "messaging_service_sid", phases=frozenset({"Added"})),
    _Parameter("Author", "author"),
    _Parameter("ParticipantSid", "participant_sid"),
    _Parameter("Body", "body"),
    _Parameter("Subject", "subject"),
    _Parameter("ContentSid", "content_sid"),
    _Parameter("Attributes", "attributes"),
    _Parameter("Media", "media", _media),
)
_CONVERSATION: Final = (
    _Parameter("DateCreated", "date_created", _date, _KEPT),
    _Parameter("DateUpdated", "date_updated", _date, _KEPT),
    _Parameter("DateRemoved", "date_removed", _date, _REMOVED),
    _Parameter("ConversationSid", "sid", phases=_KEPT),
    _Parameter("FriendlyName", "friendly_name"),
    _Parameter("UniqueName", "unique_name"),
    _Parameter("Attributes", "attributes"),
    _Parameter("MessagingServiceSid", "messaging_service_sid"),
    _Parameter("State", "state"),
)
# The inbound message that created a conversation: payload member ``inbound``.
_INBOUND: Final = (
    _Parameter("MessagingBinding.ProxyAddress", "proxy_address", _text, _CREATED),
    _Parameter("MessagingBinding.Address", "address", _addresses, _CREATED),
    _Parameter("MessagingBinding.ProjectedAddress", "projected_address", _text, _CREATED),
    _Parameter("MessagingBinding.AuthorAddress", "author_address", _text, _CREATED),
    _Parameter("MessageBody", "body", phases=frozenset({"Add"})),
    _Parameter("Media", "media", _media, frozenset({"Add"})),
    _Parameter("ChannelMetadata", "channel_metadata", phases=frozenset({"Added"})),
)
_PARTICIPANT: Final = (
    *_DATES,
    _Parameter("ConversationSid", "conversation_sid"),
    _Parameter("ParticipantSid", "sid", phases=_KEPT),
    _Parameter("Identity", "identity"),
    _Parameter("RoleSid", "role_sid"),
    _Parameter("Attributes", "attributes"),
    _Parameter("MessagingBinding.ProxyAddress", "proxy_address"),
    _Parameter("MessagingBinding.Address", "address"),
    _Parameter("MessagingBinding.ProjectedAddress", "projected_address"),
    _Parameter("MessagingBinding.Type", "binding_type", _binding_type),
    _Parameter("MessagingBinding.Level", "binding_level"),
    _Parameter("MessagingBinding.Name", "binding_name"),
    _Parameter("LastReadMessageIndex", "last_read_message_index", phases=frozenset({"Updated"})),
)
_USER: Final = (
    _Parameter("DateCreated", "date_created", _date, frozenset({"Added", "Updated"})),
    _Parameter("DateUpdated", "date_updated", _date, frozenset({"Update", "Updated"})),
    _Parameter("UserSid", "sid"),
    _Parameter("Identity", "identity"),
    _Parameter("RoleSid", "role_sid"),
    _Parameter("Attributes", "attributes"),
    _Parameter("FriendlyName", "friendly_name"),
    _Parameter("isOnline", "is_online", _boolean, frozenset({"Updated"})),
    _Parameter("isNotifiable", "is_notifiable", _boolean, frozenset({"Updated"})),
)
_STATE: Final = (
    _Parameter("ConversationSid", "sid"),
    _Parameter("MessagingServiceSid", "messaging_service_sid"),
    _Parameter("StateUpdated", "date_ms", _date),
    _Parameter("StateFrom", "state_from"),
    _Parameter("StateTo", "state"),
    _Parameter("Reason", "reason"),
)
_RECEIPT: Final = (
    _Parameter("ConversationSid", "conversation_sid"),
    _Parameter("MessageSid", "message_sid"),
    _Parameter("ParticipantSid", "participant_sid"),
    _Parameter("DeliveryReceiptSid", "sid"),
    _Parameter("ChannelMessageSid", "channel_message_sid"),
    _Parameter("Status", "status"),
    _Parameter("ErrorCode", "error_code", lambda code: _text(code or None)),
    _Parameter("DateCreated", "date_created", _date),
    _Parameter("DateUpdated", "date_updated", _date),
)
_TABLES: Final = {
    "Message": ("message", _MESSAGE),
    "Conversation": ("conversation", _CONVERSATION),
    "Participant": ("participant", _PARTICIPANT),
    "User": ("user", _USER),
    "ConversationState": ("conversation", _STATE),
    "Delivery": ("receipt", _RECEIPT),
}


def parameter_names(event_name: str) -> frozenset[str]:
    """Return the names of all parameters that a request about this event may have."""
    noun, phase = _parts(event_name)
    tables = [_TABLES[noun][1], *([_INBOUND] if noun == "Conversation" else [])]
    names = {each.name for table in tables for each in table if phase in each.phases}
    names |= {"RetryCount", *_common(event_name, "", "")}
    if event_name != event_names.ON_DELIVERY_UPDATED:
        names |= set(_source(SDK, "an identity"))
    return frozenset(names)


def _parts(event_name: str) -> tuple[str, str]:
    """Return the noun and the phase in the name of an event."""
    for phase in ("Added", "Updated", "Removed", "Add", "Update", "Remove"):
        if event_name.endswith(phase):
            return event_name.removeprefix("on").removesuffix(phase), phase
    raise ValueError(f"the name of event {event_name!r} does not end with a phase")


def names_without_table(names: Iterable[str]) -> list[str]:
    """Return the events that have no table, or no parameter in their phase."""
    missing = []
    for name in names:
        noun, phase = _parts(name)
        _, table = _TABLES.get(noun, ("", ()))
        if not any(phase in each.phases for each in table):
            missing.append(name)
    return missing


# An event without parameters would be committed and never sent: the server does not start.
if _missing := names_without_table((*event_names.PRE_ACTION, *event_names.POST_ACTION)):
    raise RuntimeError(f"no webhook parameters for {_missing}: add a table to _TABLES")


def post_parameters(event: Event) -> dict[str, str]:
    """Return the parameters of a post-action event, sorted by name, without RetryCount."""
    shown = _common(event.name, event.account_sid, event.service_sid)
    if event.name != event_names.ON_DELIVERY_UPDATED:
        shown |= _source(event.source, event.client_identity)
    payload = _decode(event.payload)
    noun, phase = _parts(event.name)
    member, table = _TABLES[noun]
    record = payload | payload[member] | {"date_removed": event.date_ms, "date_ms": event.date_ms}
    shown |= _written(table, record, phase)
    if noun == "Conversation":
        shown |= _written(_INBOUND, payload.get("inbound") or {}, phase)
    return dict(sorted(shown.items()))


def pre_parameters(event_name: str, emitted: EmittedEvent) -> dict[str, str]:
    """Return the parameters of a pre-action event, sorted by name, without RetryCount.

    ``emitted`` is the event of the dry run. A new record has no SID and no dates yet, an update
    has the new values with the date of the previous change, a removal has the current values.
    """
    assert emitted.name == POST_ACTION_OF[event_name]
    shown = _common(event_name, emitted.scope.account_sid, emitted.scope.service_sid)
    shown |= _source(emitted.origin.source, emitted.origin.client_identity)
    payload = _decode(emitted.payload)
    noun, phase = _parts(event_name)
    member, table = _TABLES[noun]
    record = payload | payload[member]
    if phase == "Update":
        record["date_updated"] = payload["previous_date_updated"]
    shown |= _written(table, record, phase)
    if noun == "Conversation":
        shown |= _written(_INBOUND, payload.get("inbound") or {}, phase)
    return dict(sorted(shown.items()))


def _common(event_name: str, account_sid: str, service_sid: str) -> dict[str, str]:
    return {"EventType": event_name, "AccountSid": account_sid, "ChatServiceSid": service_sid}


def _source(source: str, client_identity: str | None) -> dict[str, str]:
    """Return the source of a change, and the identity if it was a client."""
    if source == SDK and client_identity:
        return {"Source": source, "ClientIdentity": client_identity}
    return {"Source": source}


def _written(
    table: tuple[_Parameter, ...], record: Mapping[str, Any], phase: str
) -> dict[str, str]:
    return {
        each.name: text
        for each in table
        if phase in each.phases and (text := each.write(record.get(each.member)))
    }
