"""The size of a mail with media, known before they are read. No I/O.

Attachments are encoded in base64, so that they grow by more than a third. The growth of texts
depends on their characters: a mail that exceeds the limit only by it is found once it is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.channels.carrier import OutboundMedium

TEXT_CATEGORIES: Final = ("body", "history")
PLAIN: Final = "text/plain"
HTML: Final = "text/html"
# Base64 turns 57 bytes into a line of 76 characters and its end.
_LINE_BYTES: Final = 57
_LINE_END_CHARS: Final = 2


def least_bytes(media: Iterable[OutboundMedium]) -> int:
    """Return the size that a mail with these media has at least, in bytes."""
    return sum(each.size if is_text(each) else _encoded_bytes(each.size) for each in media)


def is_text(medium: OutboundMedium) -> bool:
    """Return whether a medium is a text of the mail itself, not an attachment."""
    return medium.category in TEXT_CATEGORIES and type_of(medium) in (PLAIN, HTML)


def type_of(medium: OutboundMedium) -> str:
    """Return the type of a medium without its parameters, in lower case."""
    return medium.content_type.partition(";")[0].strip().lower()


def _encoded_bytes(size: int) -> int:
    return -(-size // 3) * 4 + -(-size // _LINE_BYTES) * _LINE_END_CHARS
