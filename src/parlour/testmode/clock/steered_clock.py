"""A clock that tests freeze, shift and advance.

| mode    | ``now_ms``                                 | next      |
|---------|--------------------------------------------|-----------|
| system  | the real time                              | any other |
| shifted | the real time plus an offset               | any other |
| frozen  | constant; ``advance_to`` sets it later     | any other |

``monotonic_ms`` is always real: it is for durations. The clock does not check whether it may go
backwards: that depends on the data (`clock_control.py`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from parlour.testmode.clock.clock_history import ClockHistory
from parlour.testmode.clock.virtual_timers import VirtualTimers

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.vocabulary.clock import Clock


class ClockMode(StrEnum):
    """How the clock relates to the real time."""

    SYSTEM = "system"
    SHIFTED = "shifted"
    FROZEN = "frozen"


class SteeredClock:
    """The clock of a server in test mode."""

    def __init__(self, real: Clock) -> None:
        """``real`` is the clock of the machine."""
        self.real = real
        self._offset_ms = 0
        self._frozen_ms: int | None = None
        self._listeners: list[Callable[[], object]] = []
        self.base_ms = real.now_ms()
        """The date to which the clock was last set, other than by an advance."""
        self.timers = VirtualTimers(self)
        self.history = ClockHistory(real.now_ms())

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        if self._frozen_ms is not None:
            return self._frozen_ms
        return self.real.now_ms() + self._offset_ms

    def monotonic_ms(self) -> float:
        """Milliseconds of the real monotonic clock."""
        return self.real.monotonic_ms()

    @property
    def mode(self) -> ClockMode:
        """How the clock relates to the real time."""
        if self._frozen_ms is not None:
            return ClockMode.FROZEN
        return ClockMode.SHIFTED if self._offset_ms else ClockMode.SYSTEM

    @property
    def is_frozen(self) -> bool:
        """Whether the clock is stopped."""
        return self._frozen_ms is not None

    @property
    def offset_ms(self) -> int:
        """How far the clock is ahead of the real time."""
        return self.now_ms() - self.real.now_ms()

    def on_change(self, listener: Callable[[], object]) -> None:
        """Call a listener after each change of the clock, in the order of registration."""
        self._listeners.append(listener)

    def freeze(self, at_ms: int | None = None) -> None:
        """Stop the clock: at this date, or at the present one."""
        self._frozen_ms = self.base_ms = self.now_ms() if at_ms is None else at_ms
        self._changed()

    def shift(self, to_ms: int) -> None:
        """Let the clock run on from a date."""
        self._frozen_ms = None
        self._offset_ms = to_ms - self.real.now_ms()
        self.base_ms = to_ms
        self._changed()

    def system(self) -> None:
        """Show the real time."""
        self._frozen_ms, self._offset_ms = None, 0
        self.base_ms = self.real.now_ms()
        self._changed()

    def advance_to(self, at_ms: int) -> None:
        """Set a frozen clock to a later date."""
        assert self._frozen_ms is not None
        assert at_ms >= self._frozen_ms
        self._frozen_ms = at_ms
        self._changed()

    def _changed(self) -> None:
        self.history.record(self.real.now_ms(), self.now_ms(), is_frozen=self.is_frozen)
        self.timers.clock_changed()
        for listener in self._listeners:
            listener()
