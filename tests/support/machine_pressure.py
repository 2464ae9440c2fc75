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
"""The maximum allowance for other load; a longer wait counts as a fault."""


class Stopwatch:
    """A stopwatch that starts when it is created."""

    def __init__(self) -> None:
        self._waited = _waited_seconds()
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Return the seconds that have passed."""
        return time.monotonic() - self._began

    def is_over(self, seconds: float) -> bool:
        """Return whether this many seconds have passed, without those under pressure."""
        return self.seconds_at_least >= seconds or self.seconds >= seconds + LOAD_SECONDS_MAX

    @property
    def seconds_at_least(self) -> float:
        """Return the seconds without those in which some process had to wait; at least 0."""
        return max(0.0, self.seconds - (_waited_seconds() - self._waited))


def _waited_seconds() -> float:
    """Return the pressure since the machine's start; 0 where the kernel does not count it."""
    total = 0.0
    for resource in RESOURCES:
        with suppress(OSError):
            some = (Path("/proc/pressure") / resource).read_text().splitlines()[0]
            total += int(some.rpartition("total=")[2]) / 1_000_000
    return total
