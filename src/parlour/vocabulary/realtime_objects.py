"""The realtime objects: their kinds, names and sids.

A client opens an object by its name or its sid, and is then told of every change. There are five:
a conversation's document, its list of messages, its roster (a map of participants); a user's map
of conversations and map of properties. Nothing of them is stored: names and sids are made from
the sid of the conversation or the user, so they exist exactly as long as it does, and one that is
made again has others. Changes are numbered by the event log's sequence, which only grows.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from parlour.vocabulary import sids

DOCUMENT: Final = "document"
LIST: Final = "list"
MAP: Final = "map"


class ObjectKind(Enum):
    """One kind of object: its type, its sid's prefix, whose it is, and its name's ending."""

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
    """One object: its kind, and the sid of the conversation or user that it shows."""

    kind: ObjectKind
    owner_sid: str

    @property
    def unique_name(self) -> str:
        """What clients call it: ``CH….roster``."""
        return f"{self.owner_sid}.{self.kind.ending}"

    @property
    def sid(self) -> str:
        """Its sid."""
        return self.kind.prefix + _digits(self.kind, self.owner_sid)


# A user has two maps, and a conversation one: other digits keep their sids apart.
_MASKS: Final = {
    ObjectKind.MY_CONVERSATIONS: (1 << 128) - 1,
    ObjectKind.USER_INFO: int("5" * 32, 16),
}
_ENDINGS: Final = {kind.ending: kind for kind in ObjectKind}


def _digits(kind: ObjectKind, sid: str) -> str:
    """The digits of an object's sid from its owner's, and the other way round."""
    _, digits = sid[:2], sid[2:]
    mask = _MASKS.get(kind)
    return digits if mask is None else f"{int(digits, 16) ^ mask:032x}"


def parse_name(text: str) -> ObjectName | None:
    """The object with this name; None where the text is no name of any."""
    owner_sid, dot, ending = text.partition(".")
    kind = _ENDINGS.get(ending)
    if not dot or kind is None or not sids.is_sid(kind.owner, owner_sid):
        return None
    return ObjectName(kind, owner_sid) if owner_sid == sids.normal(owner_sid) else None


def candidates_for_sid(type_: str, text: str) -> tuple[ObjectName, ...]:
    """The objects of a type that may have this sid; which of them is there, the store knows."""
    found = []
    for kind in ObjectKind:
        if kind.type == type_ and sids.is_sid(kind.prefix, text):
            owner_sid = kind.owner + _digits(kind, sids.normal(text))
            found.append(ObjectName(kind, owner_sid))
    return tuple(found)
