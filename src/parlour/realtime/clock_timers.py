"""Timers for dates of the clock: the end of a token and the warning before it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.vocabulary.clock import Clock


class ClockTimer(Protocol):
    """A call that is scheduled."""

    def cancel(self) -> None:
        """Do not call."""
        ...


class ClockTimers(Protocol):
    """Schedules calls at dates of the clock."""

    def call_at(self, due_ms: int, callback: Callable[[], object]) -> ClockTimer:
        """Call a function once the clock shows a date; soon if the date is past."""
        ...


class LoopTimers:
    """Timers of the event loop: a call waits for the time that is left when it is scheduled."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def call_at(self, due_ms: int, callback: Callable[[], object]) -> ClockTimer:
        """Call a function after the time that is left."""
        left = max(0, due_ms - self._clock.now_ms()) / 1000
        return asyncio.get_running_loop().call_later(left, callback)
