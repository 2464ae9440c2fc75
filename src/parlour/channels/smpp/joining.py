"""Joins the parts of inbound messages, in any order, within bounded memory.

No part is acknowledged before its whole message is stored, since a crash loses this memory. A part
that waits too long for the others gets a temporary error and stays in memory: so an SMSC that waits
for each response sends the next part, and the message is complete as soon as each part has arrived
once. The parts that got an error are delivered again, recognised, and acknowledged.

    state     becomes
    held      complete: the last part arrives
              dropped: it is too old, or the memory is full; logged, and never acknowledged
    complete  joined: the message is stored
              complete: it was not stored, and a part is delivered again
    joined    evicted: its unacknowledged parts were delivered again and acknowledged, or never were
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from parlour.channels.smpp import pdus
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.smpp.pdus import DeliveredPdu

_UDH_INDICATOR: Final = 0x40
_ELEMENT_8_BITS: Final = 0x00
_ELEMENT_16_BITS: Final = 0x08

MessageKey = tuple[str, str, str, int, int]
"""Sender, receiver, form of the reference, reference, number of parts."""

D = TypeVar("D")
S = TypeVar("S")


class Concatenation(msgspec.Struct, frozen=True):
    """The place of a part in its message: ``form`` of the reference, ``number`` from 1."""

    form: str
    reference: int
    total: int
    number: int


class Dropped(msgspec.Struct, frozen=True):
    """An incomplete message that was dropped, and the numbers of its missing parts."""

    key: MessageKey
    missing: tuple[int, ...]


def read_part(pdu: DeliveredPdu) -> tuple[Concatenation | None, bytes]:
    """Return the place of a part, None for a whole message, and the content without its header.

    A header that does not fit its content is a part of the content.
    """
    content = pdu.content
    found: Concatenation | None = None
    if pdu.esm_class & _UDH_INDICATOR and content and content[0] < len(content):
        found = _read_header(content[1 : content[0] + 1])
        content = content[content[0] + 1 :]
    return found or _read_parameters(pdu.tlvs), content


def _read_header(header: bytes) -> Concatenation | None:
    """Return the concatenation among the elements of a user data header (TS 23.040, 9.2.3.24)."""
    place = 0
    while place + 2 <= len(header):
        element, size = header[place], header[place + 1]
        value = header[place + 2 : place + 2 + size]
        if element == _ELEMENT_8_BITS and size == len(value) == 3:
            return _checked("8", value[0], value[1], value[2])
        if element == _ELEMENT_16_BITS and size == len(value) == 4:
            return _checked("16", int.from_bytes(value[:2]), value[2], value[3])
        place += 2 + size
    return None


def _read_parameters(tlvs: dict[int, bytes]) -> Concatenation | None:
    tags = (pdus.TLV_SAR_REFERENCE, pdus.TLV_SAR_TOTAL, pdus.TLV_SAR_NUMBER)
    if not all(tag in tlvs for tag in tags):
        return None
    reference, total, number = (int.from_bytes(tlvs[tag]) for tag in tags)
    return _checked("sar", reference, total, number)


def _checked(form: str, reference: int, total: int, number: int) -> Concatenation | None:
    """Return a concatenation; None if the standard ignores it, or for a single part."""
    is_usable = 1 < total <= 0xFF and 1 <= number <= total
    return Concatenation(form, reference, total, number) if is_usable else None


@dataclass(slots=True)
class _Incomplete(Generic[D]):
    """A message of which parts are in memory, and their deliveries without a response."""

    started: float
    contents: dict[int, bytes] = field(default_factory=dict)
    waiting: list[tuple[int, D]] = field(default_factory=list)


@dataclass(slots=True)
class _Joined(Generic[S]):
    """A stored message, and the digests of its unacknowledged parts, expected until a time."""

    stored: S
    until: float
    digests: dict[int, bytes]


class Joiner(Generic[D, S]):
    """The incomplete messages of one carrier.

    A ``D`` is a delivery that waits for its response, an ``S`` describes a stored message.
    """

    def __init__(self, parts_max: int = limits.SMS_PARTS_HELD_MAX) -> None:
        self._parts_max = parts_max
        self._messages: OrderedDict[MessageKey, _Incomplete[D]] = OrderedDict()
        self._joined: OrderedDict[MessageKey, _Joined[S]] = OrderedDict()
        self.part_count = 0

    def find_joined(self, key: MessageKey, number: int, content: bytes, now: float) -> S | None:
        """Return the stored message of which it is an unacknowledged part, else None."""
        joined = self._joined.get(key)
        if joined is None or joined.digests.get(number) != _digest(content):
            return None
        if joined.until < now:
            del self._joined[key]
            return None
        return joined.stored

    def acknowledge(self, key: MessageKey, number: int) -> None:
        """Record that the SMSC has the acknowledgement of a part that `find_joined` found."""
        digests = self._joined[key].digests
        del digests[number]
        if not digests:
            del self._joined[key]

    def add(
        self, key: MessageKey, number: int, content: bytes, delivery: D, now: float
    ) -> list[Dropped]:
        """Hold a part. Return messages that were dropped for it: of the same key, or the oldest."""
        dropped: list[Dropped] = []
        message = self._messages.get(key)
        if message is not None and message.contents.get(number, content) != content:
            # The sender uses the reference for another message.
            dropped.append(self._drop(key))
            message = None
        if message is None:
            message = self._messages[key] = _Incomplete(now)
        if number not in message.contents:
            self.part_count += 1
        message.contents[number] = content
        message.waiting.append((number, delivery))
        while self.part_count > self._parts_max and len(self._messages) > 1:
            dropped.append(self._drop(next(each for each in self._messages if each != key)))
        return dropped

    def contents(self, key: MessageKey) -> tuple[bytes, ...] | None:
        """Return the contents of all parts in their order; None while one is missing."""
        message = self._messages[key]
        if len(message.contents) < key[-1]:
            return None
        return tuple(message.contents[number] for number in range(1, key[-1] + 1))

    def waiting(self, key: MessageKey) -> list[tuple[int, D]]:
        """Remove and return the deliveries of a message that wait; the contents stay."""
        message = self._messages[key]
        waiting, message.waiting = message.waiting, []
        return waiting

    def remove_delivery(self, key: MessageKey, delivery: D) -> None:
        """Remove a delivery that got an error; the content stays."""
        message = self._messages.get(key)
        if message is not None:
            message.waiting = [each for each in message.waiting if each[1] is not delivery]

    def finish(self, key: MessageKey, stored: S, acknowledged: set[int], until: float) -> None:
        """Remove a stored message, but for the parts that will be delivered again."""
        message = self._messages.pop(key)
        self.part_count -= len(message.contents)
        expected = {
            number: _digest(content)
            for number, content in message.contents.items()
            if number not in acknowledged
        }
        if expected:
            self._joined[key] = _Joined(stored, until, expected)
        while len(self._joined) > limits.SMS_JOINED_KNOWN_MAX:
            self._joined.popitem(last=False)

    def expire(self, started_before: float) -> list[Dropped]:
        """Drop the messages whose first part came before that time."""
        old = [key for key, each in self._messages.items() if each.started <= started_before]
        return [self._drop(key) for key in old]

    def _drop(self, key: MessageKey) -> Dropped:
        contents = self._messages.pop(key).contents
        self.part_count -= len(contents)
        missing = tuple(number for number in range(1, key[-1] + 1) if number not in contents)
        return Dropped(key, missing)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=8).digest()
