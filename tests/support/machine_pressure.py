"""Time that processes of this machine waited for it: an allowance for tests that measure time.

A bound on a duration is a claim about the server on an otherwise idle machine. Next to other tests
or another load the server also waits for a processor and the disk, and no useful bound is wide
enough for that. Such a test therefore adds what the kernel counted during the measurement (pressure
stall information): the time in which some process waited. On an idle machine it is zero.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

RESOURCES = ("cpu", "io")
LOAD_SECONDS_MAX = 60.0
"""What another load may add to a wait; one that takes longer is no load but a fault."""


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._waited = _waited_seconds()
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds that have passed."""
        return time.monotonic() - self._began

    def is_over(self, seconds: float) -> bool:
        """Whether so many seconds have passed, those in which the machine was busy set aside."""
        return self.seconds_at_least >= seconds or self.seconds >= seconds + LOAD_SECONDS_MAX

    @property
    def seconds_at_least(self) -> float:
        """Seconds without those in which some process of the machine had to wait; at least 0."""
        return max(0.0, self.seconds - (_waited_seconds() - self._waited))


def _waited_seconds() -> float:
    """Since the machine's start; 0 where the kernel does not count it."""
    total = 0.0
    for resource in RESOURCES:
        with suppress(OSError):
            some = (Path("/proc/pressure") / resource).read_text().splitlines()[0]
            total += int(some.rpartition("total=")[2]) / 1_000_000
    return total
