"""The first lines of a key in an interval are logged, and the others counted."""

from __future__ import annotations

from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.log_limit import LogLimit


def test_lines_beyond_the_limit_are_left_out_and_counted_in_the_next_interval() -> None:
    clock = FakeClock()
    limit = LogLimit(clock, 2, 1_000)
    assert [limit.admit("a") for _ in range(5)] == [0, 0, None, None, None]
    clock.advance(999)
    assert limit.admit("a") is None
    clock.advance(1)
    assert [limit.admit("a") for _ in range(3)] == [4, 0, None]


def test_keys_are_limited_separately() -> None:
    limit = LogLimit(FakeClock(), 1, 1_000)
    assert [limit.admit(key) for key in ("a", "b", "a", "b")] == [0, 0, None, None]
