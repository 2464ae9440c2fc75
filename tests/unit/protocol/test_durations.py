"""ISO 8601 durations of fixed length."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parlour.protocol.durations import parse_duration
from parlour.vocabulary import limits


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT0S", 0),
        ("P0D", 0),
        ("PT1M", 60),
        ("PT10M", 600),
        ("PT60S", 60),
        ("PT1H30M", 5400),
        ("PT1H1S", 3601),
        ("P1D", 86_400),
        ("P1DT2H3M4S", 93_784),
        ("P2W", 1_209_600),
        ("P3650D", limits.TIMER_SECONDS_MAX),
        ("PT000000007S", 7),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1DT",
        "1D",
        "60",
        "PT60",
        "T1M",
        "P1M",
        "P1Y",
        "P1Y2M3D",
        "PT1.5S",
        "PT1,5S",
        "P-1D",
        "-P1D",
        "+P1D",
        "pt1m",
        "PT1m",
        "PT1M1H",
        "P1W1D",
        "P1DT1D",
        "PT1M ",
        "PT1M\n",
        " PT1M",
        "PT١M",
        "P3650DT1S",
        "PT9999999999S",
        "P999999999W",
    ],
)
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration|longer than"):
        parse_duration(text)


@given(st.tuples(*[st.none() | st.integers(0, 999)] * 4))
def test_the_parts_add_up(parts: tuple[int | None, ...]) -> None:
    days, hours, minutes, seconds = parts
    assume(any(part is not None for part in parts))
    date = "" if days is None else f"{days}D"
    time = "".join(
        f"{number}{unit}"
        for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S"))
        if number is not None
    )
    text = f"P{date}{'T' if time else ''}{time}"
    expected = (((days or 0) * 24 + (hours or 0)) * 60 + (minutes or 0)) * 60 + (seconds or 0)
    assert parse_duration(text) == expected
