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


class InboxMessage(msgspec.Struct, frozen=True):
    """An inbound message, as `parlour.channels.carrier.InboundMessage` describes it."""

    channel: str
    sender: str
    receiver: str
    group: tuple[str, ...]
    body: str | None
    media: tuple[InboxMedium, ...] = ()
    profile_name: str | None = None
    metadata: dict[str, Any] | None = None
    email: dict[str, Any] | None = None

    @property
    def numbers(self) -> frozenset[str]:
        """All senders and receivers: the set that identifies a group."""
        return frozenset((self.sender, self.receiver, *self.group))


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(InboxMessage).decode


def encode_message(message: InboxMessage) -> str:
    """Return the content of a row."""
    return _encode(message).decode()


def decode_message(content: str) -> InboxMessage:
    """Return the message in a row."""
    return _decode(content)
