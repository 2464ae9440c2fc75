"""The goals of the benchmark, and whether measurements meet them."""

from __future__ import annotations

from dataclasses import dataclass

UPDATE_TO_HANDLER_MIN = 0.40
UPDATE_TO_ONE_TRANSACTION_MIN = 4.0
FETCH_TO_CONSTANT_MIN = 0.45
LIST_RATE_MIN = 2_000.0
WITH_WEBHOOKS_MIN = 0.7
WEBHOOK_MS_P50_MAX = 20.0
WEBHOOK_MS_P99_MAX = 150.0
NEXT_TO_HANGING_MAX = 2.0
START_SECONDS_MAX = 0.5
RESIDENT_MEGABYTES_MAX = 90.0
GROWTH_MAX = 1.3

# Compared with the commit before the new HTTP edge (``--against``).
UPDATE_TO_EARLIER_MIN = 1.5
MESSAGE_TO_EARLIER_MIN = 1.4
FETCH_TO_EARLIER_MIN = 1.35
LIST_TO_EARLIER_MIN = 1.25
LONE_UPDATE_TO_EARLIER_MAX = 0.75

POSTGRES_UPDATE_MIN = 2.5
TWO_WORKERS_MIN = 1.0

FANOUT_TO_BROADCAST_MIN = 0.5
LAST_LISTENER_MS_MAX = 20.0
IDLE_KIBIBYTES_MAX = 40.0
STALLED_MAX = 1.2
DELIVERY_MS_P50_MAX = 5.0
DELIVERY_MS_P99_MAX = 30.0
INITIALIZED_MS_MAX = 300.0
JOINED_MAX = 1.5

MOVING_MEMORY_MAX = 1.2

SMPP_RATE_MIN = 1_000.0

# The console: in Chromium, and the rate of REST with five open consoles relative to none.
CONSOLE_PAINTED_MS_MAX = 300.0
CONSOLE_OPENED_MS_MAX = 500.0
CONSOLE_SLOW_LINK_MS_MAX = 1_500.0
CONSOLE_EVENT_MS_P50_MAX = 100.0
CONSOLE_EVENT_MS_P99_MAX = 250.0
CONSOLE_FRAME_MS_MAX = 50.0
CONSOLE_BUSY_PERCENT_MAX = 30.0
CONSOLE_HEAP_MEGABYTES_MAX = 10.0
WITH_CONSOLES_MIN = 0.95

# A server without armed faults, compared with the commit before them.
UNARMED_TO_EARLIER_MIN = 0.99

# Goodput relative to the capacity, by the multiple of the capacity that is offered.
GOODPUT_MIN = {2.5: 0.7, 10.0: 0.5}
ACCEPTED_MS_P99_MAX = 150.0
REFUSED_MS_P99_MAX = 50.0
OVERLOAD_MEMORY_MAX = 1.5
NORMAL_SECONDS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class Goal:
    """One promised number: the measurement and its bound."""

    text: str
    value: float
    bound: float
    is_minimum: bool

    @property
    def is_met(self) -> bool:
        """Return whether the measured value is on the right side of the bound."""
        return self.value >= self.bound if self.is_minimum else self.value <= self.bound

    def line(self) -> str:
        """Return one line of the report."""
        sign = ">=" if self.is_minimum else "<="
        verdict = "met" if self.is_met else "MISSED"
        return f"{self.text:<58} {self.value:>9.3f} {sign} {self.bound:<8g} {verdict}"


def at_least(text: str, value: float, bound: float) -> Goal:
    """Return a goal with a lower bound."""
    return Goal(text, value, bound, is_minimum=True)


def at_most(text: str, value: float, bound: float) -> Goal:
    """Return a goal with an upper bound."""
    return Goal(text, value, bound, is_minimum=False)
