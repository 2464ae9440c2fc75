"""The rate of submissions of one link."""

from __future__ import annotations


class Pace:
    """Divides time evenly among submissions; ``per_second`` 0 has no limit. Times are seconds."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0

    def reserve(self, now: float) -> float:
        """Take the next free place; return how long to wait for it."""
        place = max(self._next, now)
        self._next = place + self._interval
        return place - now

    def delay(self, until: float) -> None:
        """Give out no place before that time."""
        self._next = max(self._next, until)
