"""Runs the server with an accelerated clock, so that a test need not wait for minutes.

The clock continues over a restart: it shows CLOCK_START_MS at the real time of that name, and from
then on CLOCK_RATE milliseconds for each.
"""

from __future__ import annotations

import os
import time

import parlour.app
from parlour.cli.main import main
from parlour.vocabulary.clock import SystemClock

START_MS = int(os.environ["CLOCK_START_MS"])
RATE = int(os.environ["CLOCK_RATE"])


class FastClock(SystemClock):
    """The machine's clock, accelerated."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970 on the accelerated clock."""
        return START_MS + (time.time_ns() // 1_000_000 - START_MS) * RATE


parlour.app.SystemClock = FastClock  # type: ignore[misc]

if __name__ == "__main__":
    main()
