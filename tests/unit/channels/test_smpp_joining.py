"""Joining of inbound parts: any order, repetitions, several messages, bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.smpp import pdus
from parlour.channels.smpp.joining import Concatenation, Joiner, MessageKey, read_part
from parlour.channels.smpp.pdus import DeliveredPdu


def key_of(number: int, total: int) -> MessageKey:
    return (f"+1555{number:07}", "+15017122661", "8", number % 3, total)


def pdu(
    content: bytes, *, esm_class: int = 0, tlvs: dict[int, bytes] | None = None
) -> DeliveredPdu:
    return DeliveredPdu(1, "1", 1, "2", esm_class, 0, content, tlvs or {})


@given(
    totals=st.lists(st.integers(2, 5), min_size=1, max_size=4),
    data=st.data(),
)
def test_each_message_is_joined_once_in_any_order_and_with_repetitions(
    totals: list[int], data: st.DataObject
) -> None:
    joiner: Joiner[object, str] = Joiner()
    parts = [
        (key_of(message, total), number)
        for message, total in enumerate(totals)
        for number in range(1, total + 1)
    ]
    order = data.draw(st.permutations(parts))
    repeated = data.draw(st.lists(st.sampled_from(parts), max_size=5))
    joined: dict[MessageKey, tuple[bytes, ...]] = {}
    unacknowledged: dict[MessageKey, set[int]] = {}
    for key, number in [*order, *repeated]:
        content = f"{key[0]} {number}".encode()
        if joiner.find_joined(key, number, content, now=1):
            assert number in unacknowledged[key]
            # Without the acknowledgement it is delivered again.
            assert joiner.find_joined(key, number, content, now=1) == key[0]
            joiner.acknowledge(key, number)
            unacknowledged[key].discard(number)
            continue
        if key in joined:
            # All its parts are acknowledged: this is the first part of another message.
            assert number not in unacknowledged[key]
            continue
        delivery = object()
        assert not joiner.add(key, number, content, delivery, now=1)
        if data.draw(st.booleans()):
            # It waited too long.
            joiner.remove_delivery(key, delivery)
        contents = joiner.contents(key)
        if contents is not None:
            joined[key] = contents
            acknowledged = {each for each, _ in joiner.waiting(key)}
            joiner.finish(key, key[0], acknowledged, until=2)
            unacknowledged[key] = set(range(1, key[-1] + 1)) - acknowledged
    assert joined.keys() == {key for key, _ in parts}
    for key, contents in joined.items():
        assert contents == tuple(f"{key[0]} {number}".encode() for number in range(1, key[-1] + 1))
    assert joiner.part_count == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4)), max_size=100))
def test_the_number_of_parts_in_memory_is_bounded_and_the_oldest_message_goes(
    added: list[tuple[int, int]],
) -> None:
    joiner: Joiner[int, str] = Joiner(parts_max=8)
    held: list[MessageKey] = []
    for message, number in added:
        key = key_of(message, 5)
        dropped = joiner.add(key, number, b"x", 0, now=0)
        held = [each for each in held if each not in {gone.key for gone in dropped}]
        if key not in held:
            held.append(key)
        assert joiner.part_count <= 8
        # Those that were dropped were older than all that stay, but for the one just extended.
        assert all(gone.key != key for gone in dropped)
    assert [each.key for each in joiner.expire(0)] == held
    assert joiner.part_count == 0


def test_another_content_of_the_same_part_starts_another_message() -> None:
    joiner: Joiner[str, str] = Joiner()
    key = key_of(1, 2)
    assert not joiner.add(key, 1, b"old", "a", now=0)
    (dropped,) = joiner.add(key, 1, b"new", "b", now=0)
    assert (dropped.key, dropped.missing) == (key, (2,))
    joiner.add(key, 2, b" end", "c", now=0)
    assert joiner.contents(key) == (b"new", b" end")
    assert joiner.waiting(key) == [(1, "b"), (2, "c")]


def test_a_late_part_of_a_stored_message_is_recognised_for_its_time_only() -> None:
    joiner: Joiner[str, str] = Joiner()
    key = key_of(1, 2)
    joiner.add(key, 1, b"a", "a", now=0)
    joiner.add(key, 2, b"b", "b", now=0)
    joiner.finish(key, "first", {2}, until=10)
    assert joiner.find_joined(key, 2, b"b", now=5) is None
    assert joiner.find_joined(key, 1, b"other", now=5) is None
    assert joiner.find_joined(key, 1, b"a", now=11) is None
    joiner.add(key, 1, b"a", "a", now=20)
    joiner.add(key, 2, b"b", "b", now=20)
    joiner.finish(key, "second", {2}, until=30)
    assert joiner.find_joined(key, 1, b"a", now=25) == "second"
    joiner.acknowledge(key, 1)
    assert joiner.find_joined(key, 1, b"a", now=25) is None


def test_a_message_expires_from_its_first_part_on() -> None:
    joiner: Joiner[str, str] = Joiner()
    joiner.add(key_of(1, 3), 1, b"a", "a", now=10)
    joiner.add(key_of(1, 3), 3, b"a", "a", now=20)
    assert not joiner.expire(9)
    (dropped,) = joiner.expire(10)
    assert dropped.missing == (2,)


@pytest.mark.parametrize(
    ("content", "expected", "rest"),
    [
        (b"\x05\x00\x03\x07\x02\x01text", Concatenation("8", 7, 2, 1), b"text"),
        (b"\x06\x08\x04\x01\x07\x02\x02text", Concatenation("16", 263, 2, 2), b"text"),
        (b"\x09\x24\x01\x01\x00\x03\x07\x02\x01\x00text", Concatenation("8", 7, 2, 1), b"text"),
        # Values that the standard ignores, and a single part.
        (b"\x05\x00\x03\x07\x02\x03text", None, b"text"),
        (b"\x05\x00\x03\x07\x02\x00text", None, b"text"),
        (b"\x05\x00\x03\x07\x00\x01text", None, b"text"),
        (b"\x05\x00\x03\x07\x01\x01text", None, b"text"),
        # An element of another length, and a header that is longer than the content.
        (b"\x04\x00\x02\x07\x02text", None, b"text"),
        (b"\x05\x00\x09\x07\x02\x01text", None, b"text"),
        (b"\x20abc", None, b"\x20abc"),
        (b"", None, b""),
    ],
)
def test_headers_are_read_by_the_standard(
    content: bytes, expected: Concatenation | None, rest: bytes
) -> None:
    assert read_part(pdu(content, esm_class=0x40)) == (expected, rest)


def test_a_header_counts_only_with_its_indicator() -> None:
    content = b"\x05\x00\x03\x07\x02\x01text"
    assert read_part(pdu(content)) == (None, content)


def test_optional_parameters_name_a_part_only_together() -> None:
    tlvs = {
        pdus.TLV_SAR_REFERENCE: b"\x01\x02",
        pdus.TLV_SAR_TOTAL: b"\x03",
        pdus.TLV_SAR_NUMBER: b"\x02",
    }
    assert read_part(pdu(b"x", tlvs=tlvs)) == (Concatenation("sar", 258, 3, 2), b"x")
    del tlvs[pdus.TLV_SAR_NUMBER]
    assert read_part(pdu(b"x", tlvs=tlvs)) == (None, b"x")


@given(st.binary(max_size=160), st.integers(0, 255))
def test_any_content_is_a_part_or_a_whole_message(content: bytes, esm_class: int) -> None:
    part, rest = read_part(pdu(content, esm_class=esm_class))
    assert content.endswith(rest)
    assert part is None or 1 <= part.number <= part.total <= 255
