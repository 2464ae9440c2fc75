"""The lag of the event loop, measured once a second: how late a timer runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from parlour.operations.minute_metrics import MinuteMetrics

_INTERVAL_SECONDS: Final = 1.0


class LoopLag:
    """A timer that records its own lateness."""

    def __init__(self, by_minute: MinuteMetrics) -> None:
        self._by_minute = by_minute
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start to measure."""
        loop = asyncio.get_running_loop()
        due = loop.time() + _INTERVAL_SECONDS
        self._timer = loop.call_at(due, self._measure, loop, due)

    def stop(self) -> None:
        """Stop to measure."""
        if self._timer is not None:
            self._timer.cancel()

    def _measure(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._by_minute.record_lag(max(0.0, 1000 * (loop.time() - due)))
        self.start()
