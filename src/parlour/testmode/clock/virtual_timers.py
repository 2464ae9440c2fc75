"""Timers for dates of a steered clock: the ends of access tokens, and the warnings before them.

While the clock runs, one timer of the event loop waits for the earliest date. While it is frozen,
none does: calls happen when the clock is set to their date or later, in the order of their dates.
"""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.testmode.clock.steered_clock import SteeredClock


class VirtualTimer:
    """A call that is scheduled."""

    __slots__ = ("callback", "due_ms")

    def __init__(self, due_ms: int, callback: Callable[[], object]) -> None:
        self.due_ms = due_ms
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Do not call."""
        self.callback = None


class VirtualTimers:
    """The timers of one server."""

    def __init__(self, clock: SteeredClock) -> None:
        self._clock = clock
        self._heap: list[tuple[int, int, VirtualTimer]] = []
        self._numbers = count()
        self._armed: asyncio.Handle | None = None

    def call_at(self, due_ms: int, callback: Callable[[], object]) -> VirtualTimer:
        """Call a function once the clock shows a date; soon if the date is past."""
        timer = VirtualTimer(due_ms, callback)
        heappush(self._heap, (due_ms, next(self._numbers), timer))
        self._arm()
        return timer

    def due_times(self) -> list[int]:
        """Return the dates of all scheduled calls."""
        return [due_ms for due_ms, _, timer in self._heap if timer.callback is not None]

    def clock_changed(self) -> None:
        """Make the calls that are due, and wait for the next."""
        self._run_due()
        self._arm()

    def _fire(self) -> None:
        self._armed = None
        self._run_due()
        self._arm()

    def _run_due(self) -> None:
        # A call may schedule another one that is due: the end of a token after its warning.
        while self._heap and self._heap[0][0] <= self._clock.now_ms():
            _, _, timer = heappop(self._heap)
            if timer.callback is not None:
                timer.callback()

    def _arm(self) -> None:
        """Wait for the earliest date, unless the clock is frozen before it."""
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        while self._heap and self._heap[0][2].callback is None:
            heappop(self._heap)
        if not self._heap:
            return
        left_ms = self._heap[0][0] - self._clock.now_ms()
        if left_ms <= 0:
            self._armed = asyncio.get_running_loop().call_soon(self._fire)
        elif not self._clock.is_frozen:
            self._armed = asyncio.get_running_loop().call_later(left_ms / 1000, self._fire)
