"""Limits are consistent with each other."""

from __future__ import annotations

from pathlib import Path

from parlour.vocabulary import limits


def test_every_limit_is_a_positive_integer() -> None:
    values = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert len(values) > 50
    assert {name for name, value in values.items() if type(value) is not int or value < 1} == set()


def test_every_limit_has_a_description() -> None:
    parts = Path(limits.__file__).parent.glob("*.py")
    lines = [line for part in parts for line in part.read_text(encoding="utf-8").splitlines()]
    bare = [
        line
        for above, line, below in zip(lines, lines[1:], [*lines[2:], ""], strict=False)
        if line[:1].isupper() and " = " in line
        if not above.startswith("# ") and not below.startswith('"""')
    ]
    assert bare == []


def test_digit_limits_match_the_largest_numbers() -> None:
    assert len(str(limits.INTEGER_MAX)) == limits.INTEGER_DIGITS_MAX
    assert len(str(limits.TIMER_SECONDS_MAX)) == limits.DURATION_DIGITS_MAX


def test_defaults_are_not_above_the_maximum() -> None:
    assert limits.PAGE_SIZE_DEFAULT <= limits.PAGE_SIZE_SMALL_MAX <= limits.PAGE_SIZE_MAX


def test_the_largest_allowed_form_fits_into_a_body() -> None:
    # Every byte of a value may need three, percent-encoded.
    parts = limits.MESSAGE_BODY_BYTES_MAX + limits.CONVERSATION_ATTRIBUTES_BYTES_MAX
    participants = limits.PARTICIPANTS_PER_REQUEST_MAX * limits.PARTICIPANT_JSON_BYTES_MAX
    assert 3 * (parts + participants) < 2 * limits.BODY_BYTES_MAX
    assert 3 * parts < limits.BODY_BYTES_MAX
