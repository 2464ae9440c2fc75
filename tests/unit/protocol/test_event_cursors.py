"""Cursors of the event feed: valid for one account, and only as they were written."""

from __future__ import annotations

import os

import pytest

from parlour.protocol.event_cursors import EventCursors

CURSORS = EventCursors(b"k" * 32, os.urandom)


@pytest.mark.parametrize("number", [0, 1, 2**40, 2**63 - 1])
def test_a_cursor_is_read_as_its_number(number: int) -> None:
    text = CURSORS.write("AC1", number)
    assert CURSORS.parse("AC1", text) == number
    assert EventCursors(b"k" * 32, os.urandom).write("AC1", number) == text
    ends = {CURSORS.write_end("AC1", number) for _ in range(10)}
    assert len(ends) == 10
    assert {CURSORS.parse("AC1", each) for each in ends} == {number}


@pytest.mark.parametrize("is_end", [False, True])
def test_a_cursor_of_another_account_or_key_or_a_changed_one_has_no_number(*, is_end: bool) -> None:
    text = (is_end and CURSORS.write_end("AC1", 7)) or CURSORS.write("AC1", 7)
    assert CURSORS.parse("AC2", text) is None
    assert EventCursors(b"j" * 32, os.urandom).parse("AC1", text) is None
    for position in range(3, len(text)):
        changed = "A" if text[position] != "A" else "B"
        assert CURSORS.parse("AC1", text[:position] + changed + text[position + 1 :]) is None
    for other in ("", "ec_", text[:-1], text + "A", "7", text[3:]):
        assert CURSORS.parse("AC1", other) is None


def test_cursors_of_following_numbers_have_nothing_in_common() -> None:
    one, two = (CURSORS.write("AC1", number)[3:] for number in (7, 8))
    assert sum(a == b for a, b in zip(one, two, strict=True)) < 10
