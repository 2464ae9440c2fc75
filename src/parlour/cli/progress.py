"""How far a command is, told on the error output so that its answer stays clean."""

from __future__ import annotations

import click

from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock


class Progress:
    """Tells the first thing at once, and then no more than a line now and then."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._next_ms = 0.0

    def __call__(self, text: str) -> None:
        """Say how far it is, if nothing was said lately."""
        now_ms = self._clock.monotonic_ms()
        if now_ms >= self._next_ms:
            self._next_ms = now_ms + limits.PROGRESS_MS
            click.echo(text, err=True)
