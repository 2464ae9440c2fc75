"""The JSON of events of realtime objects, without I/O.

One change of one object is one event. Live, it travels alone, in a message type of the object's
own kind, which the official clients take as strictly ordered; replayed after a reconnect, it
travels in ``twilio.sync.event`` with the correlation id of the request for it. The number of an
event is the sequence of the event log, so it grows in commit order, for all objects together.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from parlour.protocol.timestamps import format_date_ms
from parlour.vocabulary.realtime_objects import DOCUMENT, LIST, MAP, ObjectKind, ObjectName

VERSION: Final = 4
SYNC_EVENT: Final = "twilio.sync.event"
TYPING: Final = "twilio.ipmsg.typing_indicator"
LIVE_TYPES: Final = {kind: f"com.twilio.rtd.cds.{kind}" for kind in (DOCUMENT, LIST, MAP)}
ORIGIN: Final = "https://cds.us1.twilio.com"
"""The prefix of object URLs. Only a label: requests for them are tunnelled by the socket."""

ADDED: Final = "item_added"
UPDATED: Final = "item_updated"
ITEM_REMOVED: Final = "item_removed"
CHANGED: Final = "updated"
REMOVED: Final = "removed"

_PLURALS: Final = {DOCUMENT: "Documents", LIST: "Lists", MAP: "Maps"}

encode = msgspec.json.Encoder().encode


class Change(msgspec.Struct, frozen=True):
    """One change of one object.

    ``verb`` is one of the five above; ``key`` is an item's (a number in lists), None for the
    object as a whole; ``value`` is the complete new value, or the last one of a removed item.
    """

    name: ObjectName
    verb: str
    key: str | int | None = None
    value: Any = None

    @property
    def event_type(self) -> str:
        """The name of the event: ``map_item_added``."""
        return f"{self.name.kind.type}_{self.verb}"


def revision(number: int) -> str:
    """Return the opaque revision of the state after the event with this number."""
    return f"{max(number, 0):x}"


def object_url(kind: ObjectKind, sid: str) -> str:
    """Return the URL of an object."""
    return f"{ORIGIN}/v3/{_PLURALS[kind.type]}/{sid}"


def item_url(kind: ObjectKind, sid: str, key: str | int) -> str:
    """Return the URL of an item of an object."""
    return f"{object_url(kind, sid)}/Items/{key}"


def event_json(change: Change, number: int, date_ms: int) -> dict[str, Any]:
    """Return one event, as in a live message and in a replay."""
    kind, sid = change.name.kind, change.name.sid
    payload: dict[str, Any] = {"id": number, f"{kind.type}_sid": sid}
    payload["date_created"] = format_date_ms(date_ms)
    if kind.type == DOCUMENT:
        return payload if change.verb == REMOVED else payload | _of_document(change, number)
    if change.key is None:
        return payload
    payload[f"{kind.type}_revision"] = revision(number)
    payload["item_index" if kind.type == LIST else "item_key"] = change.key
    payload["item_revision"] = revision(number)
    payload["item_data"] = change.value
    if change.verb != ITEM_REMOVED:
        payload["item_url"] = item_url(kind, sid, change.key)
        payload["date_expires"] = None
    return payload


def _of_document(change: Change, number: int) -> dict[str, Any]:
    return {
        "document_unique_name": change.name.unique_name,
        "document_revision": revision(number),
        "document_data": change.value,
        "date_expires": None,
    }


def live_payload(change: Change, number: int, date_ms: int) -> bytes:
    """Return the payload of a live change."""
    return encode(
        {
            "event_type": change.event_type,
            "event_protocol_version": VERSION,
            "event": event_json(change, number, date_ms),
        }
    )


def replayed_payload(event_type: str, correlation_id: int | None, events: list[Any]) -> bytes:
    """Return the payload of missed changes of one type, or of subscriptions."""
    payload: dict[str, Any] = {"event_type": event_type}
    if correlation_id is not None:
        payload["correlation_id"] = correlation_id
    return encode(payload | {"event_protocol_version": VERSION, "events": events})


def typing_payload(
    conversation_sid: str, participant_sid: str, identity: str, seconds: int
) -> bytes:
    """Return the payload of a typing indicator, with its timeout."""
    return encode(
        {
            "channel_sid": conversation_sid,
            "participant_sid": participant_sid,
            "identity": identity,
            "typing_timeout": seconds,
        }
    )
