"""The way of an SMS: encoded into segments of at most 140 octets, and joined by its receiver.

Each of several segments begins with a user data header (3GPP TS 23.040, 9.2.3.24.1), by which the
receiver finds the others and their order; segments may arrive in any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from parlour.protocol.sms_segments import GSM7, decode_gsm7, encode_gsm7, split_text

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONCATENATION: Final = bytes((5, 0, 3))
"""Length of the header, then identifier and length of its only element."""
_REFERENCES: Final = 256


class SmsSegment(NamedTuple):
    """One segment: its user data header, empty for a single one, and the octets of its text.

    GSM-7 is unpacked: one septet in each octet.
    """

    header: bytes
    encoding: Literal["GSM-7", "UCS-2"]
    octets: bytes


class ReceivedText(NamedTuple):
    """The text that a receiver joined, its encoding and the number of its segments."""

    text: str
    encoding: Literal["GSM-7", "UCS-2"]
    segments: int


def encode_segments(text: str, reference: int) -> list[SmsSegment]:
    """Return the segments of a text; ``reference`` modulo 256 identifies the text."""
    split = split_text(text)
    total = len(split.segments)
    made = []
    for number, part in enumerate(split.segments, 1):
        place = bytes((reference % _REFERENCES, total, number))
        octets = encode_gsm7(part) if split.encoding == GSM7 else part.encode("utf-16-be")
        header = _CONCATENATION + place if total > 1 else b""
        made.append(SmsSegment(header, split.encoding, octets))
    return made


def join_segments(segments: Iterable[SmsSegment]) -> str:
    """Return the text of all segments of a message, in any order."""
    ordered = sorted(segments, key=lambda each: each.header[-1:])
    return "".join(
        decode_gsm7(each.octets) if each.encoding == GSM7 else each.octets.decode("utf-16-be")
        for each in ordered
    )


def transmit(text: str, reference: int) -> ReceivedText:
    """Return the text as its receiver gets it."""
    segments = encode_segments(text, reference)
    # The last one arrives first: nothing may depend on their order.
    return ReceivedText(join_segments(reversed(segments)), segments[0].encoding, len(segments))
