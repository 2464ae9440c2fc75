"""Runs the server with a clock that goes faster, so that a test need not wait for minutes.

The clock goes on over a restart: it shows CLOCK_START_MS at the real time of that name, and from
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
    """The machine's clock, going faster."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, most of which nobody lived through."""
        return START_MS + (time.time_ns() // 1_000_000 - START_MS) * RATE


parlour.app.SystemClock = FastClock  # type: ignore[misc]

if __name__ == "__main__":
    main()
