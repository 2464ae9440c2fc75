"""Which date the clock showed at a real time: the pairs (real, shown) of its changes."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from parlour.vocabulary import limits


class ClockChange(NamedTuple):
    """A change of the clock: the real time, and the date that it showed from then on."""

    real_ms: int
    shown_ms: int
    is_frozen: bool


class ClockHistory:
    """The changes of one clock, the last of each second, since tokens have whole seconds."""

    def __init__(self, start_ms: int) -> None:
        """``start_ms``: the real time of the start, which the clock showed."""
        self.start_ms = start_ms
        self.restarts = 0
        """How often the clock went back."""
        self._changes = deque(
            [ClockChange(start_ms, start_ms, False)], maxlen=limits.CLOCK_CHANGES_MAX
        )

    def record(self, real_ms: int, shown_ms: int, *, is_frozen: bool) -> None:
        """Record a change. If the clock went back, the changes before it no longer count.

        Then it counts as changed at the start: a token of before is not from the future.
        """
        last = self._changes[-1]
        if shown_ms < (last.shown_ms if last.is_frozen else last.shown_ms + real_ms - last.real_ms):
            self._changes.clear()
            self.restarts += 1
            begun_ms = shown_ms if is_frozen else shown_ms - (real_ms - self.start_ms)
            self._changes.append(ClockChange(self.start_ms, begun_ms, is_frozen))
            return
        if self._changes[-1].real_ms // 1000 == real_ms // 1000:
            self._changes.pop()
        self._changes.append(ClockChange(real_ms, shown_ms, is_frozen))

    def change_before(self, real_ms: int) -> ClockChange:
        """Return the change that was in effect at a real time; the first one if it is earlier."""
        for each in reversed(self._changes):
            if each.real_ms <= real_ms:
                return each
        return self._changes[0]
