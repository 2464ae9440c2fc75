"""The rate of submissions of one link."""

from __future__ import annotations

import asyncio


class Pace:
    """Divides time evenly among submissions; ``per_second`` 0 has no limit."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0

    async def wait(self) -> None:
        """Wait for the next free place."""
        now = asyncio.get_running_loop().time()
        place = max(self._next, now)
        self._next = place + self._interval
        if place > now:
            await asyncio.sleep(place - now)

    def delay(self, seconds: float) -> None:
        """Delay the next place."""
        self._next = max(self._next, asyncio.get_running_loop().time() + seconds)
