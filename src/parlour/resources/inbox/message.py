"""The content of a row of the inbox: a normalised message whose bytes are stored as media."""

from __future__ import annotations

from typing import Any

import msgspec


class InboxMedium(msgspec.Struct, frozen=True):
    """One medium. ``sid`` is set once its bytes are stored; until then ``location`` names them.

    ``size`` in bytes; ``digest`` is the SHA-256 of the bytes in hexadecimal digits.
    """

    content_type: str
    filename: str | None
    category: str
    sid: str | None = None
    size: int = 0
    digest: str = ""
    location: str | None = None


class InboxEmail(msgspec.Struct, frozen=True):
    """The parts of a mail. ``conversation_sids`` are those that its marks name, the best first."""

    subject: str
    message_id: str | None
    sender_name: str | None
    references: tuple[str, ...]
    conversation_sids: tuple[str, ...]


class InboxMessage(msgspec.Struct, frozen=True):
    """An inbound message. ``group`` are the further receivers of a group message."""

    channel: str
    sender: str
    receiver: str
    group: tuple[str, ...]
    body: str | None
    media: tuple[InboxMedium, ...] = ()
    profile_name: str | None = None
    metadata: dict[str, Any] | None = None
    email: InboxEmail | None = None

    @property
    def numbers(self) -> frozenset[str]:
        """All senders and receivers: the set that identifies a group."""
        return frozenset((self.sender, self.receiver, *self.group))

    @property
    def media_sids(self) -> list[str]:
        """The SIDs of the media whose bytes are stored."""
        return [each.sid for each in self.media if each.sid is not None]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(InboxMessage).decode


def encode_message(message: InboxMessage) -> str:
    """Return the content of a row."""
    return _encode(message).decode()


def decode_message(content: str) -> InboxMessage:
    """Return the message in a row."""
    return _decode(content)
