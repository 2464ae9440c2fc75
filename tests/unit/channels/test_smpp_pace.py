"""The rate of submissions of one link."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.smpp.pace import Pace


@given(st.lists(st.floats(0, 5), min_size=1, max_size=50), st.floats(0.5, 100))
def test_places_are_in_order_and_never_closer_than_the_interval(
    gaps: list[float], per_second: float
) -> None:
    pace, now, places = Pace(per_second), 0.0, []
    for gap in gaps:
        now += gap
        wait = pace.reserve(now)
        assert wait >= 0
        places.append(now + wait)
    for earlier, later in pairwise(places):
        assert later - earlier >= 1 / per_second - 1e-6


def test_a_delay_moves_the_next_place_and_never_advances_it() -> None:
    pace = Pace(0)
    assert pace.reserve(10) == 0
    pace.delay(12)
    pace.delay(11)
    assert [pace.reserve(10.5), pace.reserve(11), pace.reserve(13)] == [1.5, 1, 0]
