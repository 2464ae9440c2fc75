"""A bound on the log lines of an event that clients can cause as often as they like.

In each interval the first lines of a key are logged, and the others counted. The first line after
the interval has their number, so that the log shows how many are missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from parlour.vocabulary.clock import Clock


class LogLimit:
    """The lines of one event, by keys of which the caller bounds the number."""

    def __init__(self, clock: Clock, lines_max: int, interval_ms: float) -> None:
        self._clock = clock
        self._lines_max = lines_max
        self._interval_ms = interval_ms
        self._counts: dict[Hashable, _IntervalCount] = {}

    def admit(self, key: Hashable) -> int | None:
        """Return the number of lines left out since the last one; None: leave out this one."""
        now_ms = self._clock.monotonic_ms()
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _IntervalCount(now_ms + self._interval_ms)
        elif now_ms >= count.until_ms:
            count.until_ms, count.lines = now_ms + self._interval_ms, 0
        if count.lines >= self._lines_max:
            count.left_out += 1
            return None
        count.lines += 1
        left_out, count.left_out = count.left_out, 0
        return left_out


class _IntervalCount:
    """The lines of one key in an interval, and those left out since the last line."""

    __slots__ = ("left_out", "lines", "until_ms")

    def __init__(self, until_ms: float) -> None:
        self.until_ms = until_ms
        self.lines = 0
        self.left_out = 0
