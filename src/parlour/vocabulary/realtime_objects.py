"""Realtime objects: their kinds, names and SIDs.

A client subscribes to an object by its name or SID, and is notified of every change. There are five
kinds: a conversation's document, its list of messages and its roster (a map of participants); a
user's map of conversations and map of properties. They are not stored: names and SIDs are derived
from the SID of the conversation or user. Changes are numbered by the monotonic sequence of the
event log.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from parlour.vocabulary import sids

DOCUMENT: Final = "document"
LIST: Final = "list"
MAP: Final = "map"


class ObjectKind(Enum):
    """A kind of object: its type, SID prefix, owner's SID prefix, and suffix of its name."""

    CONVERSATION = (DOCUMENT, "ET", sids.CONVERSATION, "channel")
    MESSAGES = (LIST, "ES", sids.CONVERSATION, "messages")
    ROSTER = (MAP, "MP", sids.CONVERSATION, "roster")
    MY_CONVERSATIONS = (MAP, "MP", sids.USER, "myConversations")
    USER_INFO = (MAP, "MP", sids.USER, "info")

    def __init__(self, type_: str, prefix: str, owner: str, ending: str) -> None:
        self.type = type_
        self.prefix = prefix
        self.owner = owner
        self.ending = ending


class ObjectName(NamedTuple):
    """One object: its kind, and the SID of its conversation or user."""

    kind: ObjectKind
    owner_sid: str

    @property
    def unique_name(self) -> str:
        """Its unique name: ``CH….roster``."""
        return f"{self.owner_sid}.{self.kind.ending}"

    @property
    def sid(self) -> str:
        """Its SID."""
        return self.kind.prefix + _digits(self.kind, self.owner_sid)


# A user has two maps, and a conversation one: masks keep their SIDs distinct.
_MASKS: Final = {
    ObjectKind.MY_CONVERSATIONS: (1 << 128) - 1,
    ObjectKind.USER_INFO: int("5" * 32, 16),
}
_ENDINGS: Final = {kind.ending: kind for kind in ObjectKind}


def _digits(kind: ObjectKind, sid: str) -> str:
    """Map the digits of an owner's SID to those of the object's SID; it is its own inverse."""
    _, digits = sid[:2], sid[2:]
    mask = _MASKS.get(kind)
    return digits if mask is None else f"{int(digits, 16) ^ mask:032x}"


def parse_name(text: str) -> ObjectName | None:
    """Return the object with this unique name; None if the text is not a valid name."""
    owner_sid, dot, ending = text.partition(".")
    kind = _ENDINGS.get(ending)
    if not dot or kind is None or not sids.is_sid(kind.owner, owner_sid):
        return None
    return ObjectName(kind, owner_sid) if owner_sid == sids.normal(owner_sid) else None


def candidates_for_sid(type_: str, text: str) -> tuple[ObjectName, ...]:
    """Return the objects of a type that can have this SID; at most one of them exists."""
    found = []
    for kind in ObjectKind:
        if kind.type == type_ and sids.is_sid(kind.prefix, text):
            owner_sid = kind.owner + _digits(kind, sids.normal(text))
            found.append(ObjectName(kind, owner_sid))
    return tuple(found)
