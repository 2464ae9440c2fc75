"""The encodings of SMS, and the division of a text into segments (3GPP TS 23.038, TS 23.040).

A text is sent in GSM-7 if its default alphabet and its extension have every character, else in
UCS-2. Counts are in units: septets of GSM-7, where a character of the extension takes two, and
16-bit units of UTF-16, where a character beyond the basic plane takes two. A single segment has
140 octets, and each of several gives six of them to the header by which phones join them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

GSM7: Final = "GSM-7"
UCS2: Final = "UCS-2"

_ESCAPE: Final = 0x1B
# By code, 16 in each line. The code of the escape is no character: a space holds its place.
_ALPHABET: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
_EXTENSION: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_CODES: Final[dict[str, bytes]] = {
    character: bytes((code,)) for code, character in enumerate(_ALPHABET) if code != _ESCAPE
} | {character: bytes((_ESCAPE, code)) for code, character in _EXTENSION.items()}


class SmsText(msgspec.Struct, frozen=True):
    """A text as it is sent. Its segments joined are the text; an empty text has one segment."""

    encoding: Literal["GSM-7", "UCS-2"]
    segments: tuple[str, ...]


def split_text(text: str, *, allows_gsm7: bool = True) -> SmsText:
    """Return the encoding of a text and its segments.

    Without ``allows_gsm7`` the encoding is UCS-2. A segment never ends within a character.
    """
    if allows_gsm7 and _CODES.keys() >= set(text):
        bounds = limits.SMS_SEPTETS_MAX, limits.SMS_SEPTETS_PER_PART_MAX
        return SmsText(GSM7, _segments(text, _septets, bounds))
    bounds = limits.SMS_UTF16_UNITS_MAX, limits.SMS_UTF16_UNITS_PER_PART_MAX
    return SmsText(UCS2, _segments(text, _utf16_units, bounds))


def encode_gsm7(text: str) -> bytes:
    """Return a text as unpacked septets, one in each octet. Raises ValueError."""
    try:
        return b"".join([_CODES[character] for character in text])
    except KeyError as error:
        raise ValueError(f"GSM-7 has no character {error}") from None


def decode_gsm7(octets: bytes) -> str:
    """Return the text of unpacked septets.

    After an escape, a code that the extension lacks is read from the alphabet, as the standard
    requires; an octet beyond 7 bits becomes U+FFFD.
    """
    characters: list[str] = []
    is_escaped = False
    for octet in octets:
        if octet == _ESCAPE and not is_escaped:
            is_escaped = True
            continue
        extended = _EXTENSION.get(octet) if is_escaped else None
        is_escaped = False
        plain = _ALPHABET[octet] if octet < len(_ALPHABET) else "\ufffd"
        characters.append(extended or plain)
    return "".join(characters)


def _segments(text: str, units: Callable[[str], int], bounds: tuple[int, int]) -> tuple[str, ...]:
    """Divide a text; ``bounds`` are the units of a single segment, and of each of several."""
    single_max, part_max = bounds
    if sum(map(units, text)) <= single_max:
        return (text,)
    segments: list[str] = []
    start = used = 0
    for place, character in enumerate(text):
        size = units(character)
        if used + size > part_max:
            segments.append(text[start:place])
            start, used = place, 0
        used += size
    return (*segments, text[start:])


def _septets(character: str) -> int:
    return len(_CODES[character])


def _utf16_units(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1
