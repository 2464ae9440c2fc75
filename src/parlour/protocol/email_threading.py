"""The two marks by which a reply by e-mail finds its conversation.

An outbound mail has the Message-ID ``<IM….CH…@domain>``, which the reply repeats in its headers
In-Reply-To and References, and a Reply-To address with the tag ``+CH…`` before the at sign. Some
mail servers lose the first mark and some the second. Both are read in any case, because a mail
server may change the case of a local part.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from parlour.vocabulary import limits

_TAG: Final = re.compile(r"\+(ch[0-9a-f]{32})\Z", re.IGNORECASE)
_MESSAGE_ID: Final = re.compile(
    r"<(im[0-9a-f]{32})\.(ch[0-9a-f]{32})@[^<>@\s]{1,253}>\Z", re.IGNORECASE
)
_ANY_MESSAGE_ID: Final = re.compile(r"<[^<>\s]{1,998}>")


class ThreadMark(NamedTuple):
    """What the Message-ID of an outbound mail names."""

    message_sid: str
    conversation_sid: str


class TaggedAddress(NamedTuple):
    """An address without its tag, and the conversation that the tag names."""

    address: str
    conversation_sid: str | None


def domain_of(address: str) -> str:
    """Return the domain of an e-mail address, in lower case."""
    return address.rpartition("@")[2].lower()


def message_id(message_sid: str, conversation_sid: str, domain: str) -> str:
    """Return the Message-ID of a message, in angle brackets.

    ``domain`` is the one of the conversation's projected address: `domain_of(sender)`.
    """
    return f"<{message_sid}.{conversation_sid}@{domain}>"


def parse_message_id(text: str) -> ThreadMark | None:
    """Return what one of our Message-IDs names; None if another system made it.

    It proves nothing about the sender: every recipient of the mail knows it.
    """
    found = _MESSAGE_ID.match(text.strip())
    if found is None:
        return None
    return ThreadMark(_sid(found[1]), _sid(found[2]))


def tagged_address(address: str, conversation_sid: str) -> str:
    """Return the address with the tag of a conversation: ``help+CH…@example.com``.

    An address whose local part would become too long for mail servers is returned unchanged.
    """
    local, _, domain = address.rpartition("@")
    tagged = f"{local}+{conversation_sid}"
    if len(tagged) > limits.EMAIL_LOCAL_PART_CHARS_MAX:
        return address
    return f"{tagged}@{domain}"


def split_tag(address: str) -> TaggedAddress:
    """Return an address without the tag of a conversation, and that tag.

    Another tag before it belongs to the address: ``help+berlin+CH…@example.com``.
    """
    local, _, domain = address.rpartition("@")
    found = _TAG.search(local)
    if found is None or found.start() == 0:
        return TaggedAddress(address, None)
    return TaggedAddress(f"{local[: found.start()]}@{domain}", _sid(found[1]))


def message_ids(header: str) -> tuple[str, ...]:
    """Return the Message-IDs in a header like References, with their angle brackets, in order.

    Of more than `limits.EMAIL_REFERENCES_MAX` the last ones; comments and other text are skipped.
    """
    found = _ANY_MESSAGE_ID.findall(header[-limits.EMAIL_REFERENCES_CHARS_MAX :])
    return tuple(found[-limits.EMAIL_REFERENCES_MAX :])


def _sid(text: str) -> str:
    return text[:2].upper() + text[2:].lower()
