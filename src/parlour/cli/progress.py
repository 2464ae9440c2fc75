"""Progress reports on standard error, so that standard output contains the result only."""

from __future__ import annotations

import click

from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock


class Progress:
    """Prints the first report at once, and further ones at a limited rate."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._next_ms = 0.0

    def __call__(self, text: str) -> None:
        """Print a report, unless the previous one is too recent."""
        now_ms = self._clock.monotonic_ms()
        if now_ms >= self._next_ms:
            self._next_ms = now_ms + limits.PROGRESS_MS
            click.echo(text, err=True)
