"""The parameters of webhook requests, for every pre-action and post-action event.

The representation of each resource lists the parameters of its records: ``WEBHOOK_PARAMETERS``.
Here are those that every request has, and the table of each event.

Payloads are decoded without a schema: an event of an older version may lack a member, and then the
parameter is omitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol.webhook_parameters import ADD, ADDED, CREATED, WebhookParameter, text
from parlour.resources.conversations import representation as conversation_representation
from parlour.resources.media import attachments as media_attachments
from parlour.resources.messages import representation as message_representation
from parlour.resources.participants import representation as participant_representation
from parlour.resources.receipts import representation as receipt_representation
from parlour.resources.users import representation as user_representation
from parlour.vocabulary import event_names
from parlour.vocabulary.origin import SDK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from parlour.store.transaction import EmittedEvent
    from parlour.vocabulary.event import Event

POST_ACTION_OF: Final = {
    before: before + ("d" if before.endswith("e") else "ed") for before in event_names.PRE_ACTION
}
"""The post-action event of each pre-action event."""
assert set(POST_ACTION_OF.values()) <= set(event_names.POST_ACTION)

UNREADABLE: Final = (
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    msgspec.MsgspecError,
)
"""Raised for a payload of an unexpected shape. Errors of the store are not among them."""

_decode = msgspec.json.Decoder().decode


def _addresses(value: Any) -> str:
    """Return one address, or the addresses of a group message, separated by commas."""
    return ",".join(value) if isinstance(value, list) else text(value)


# The inbound message that created a conversation: payload member ``inbound``.
_INBOUND: Final = (
    WebhookParameter("MessagingBinding.ProxyAddress", "proxy_address", text, CREATED),
    WebhookParameter("MessagingBinding.Address", "address", _addresses, CREATED),
    WebhookParameter("MessagingBinding.ProjectedAddress", "projected_address", text, CREATED),
    WebhookParameter("MessagingBinding.AuthorAddress", "author_address", text, CREATED),
    WebhookParameter("MessageBody", "body", phases=ADD),
    WebhookParameter("Media", "media", media_attachments.webhook_text, ADD),
    WebhookParameter("ChannelMetadata", "channel_metadata", phases=ADDED),
)
_TABLES: Final = {
    "Message": ("message", message_representation.WEBHOOK_PARAMETERS),
    "Conversation": ("conversation", conversation_representation.WEBHOOK_PARAMETERS),
    "Participant": ("participant", participant_representation.WEBHOOK_PARAMETERS),
    "User": ("user", user_representation.WEBHOOK_PARAMETERS),
    "ConversationState": ("conversation", conversation_representation.WEBHOOK_STATE_PARAMETERS),
    "Delivery": ("receipt", receipt_representation.WEBHOOK_PARAMETERS),
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
    table: tuple[WebhookParameter, ...], record: Mapping[str, Any], phase: str
) -> dict[str, str]:
    return {
        each.name: text
        for each in table
        if phase in each.phases and (text := each.write(record.get(each.member)))
    }
