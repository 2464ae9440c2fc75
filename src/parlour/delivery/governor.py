"""How much of the one processor deliveries may take while requests are running.

A bucket of milliseconds: work takes out what it really took, and while requests run it fills at
``DELIVERY_SHARE_PERCENT`` of the time that passes. An empty bucket means waiting, never for good,
so deliveries fall behind under full load and do not stop. Without running requests nobody waits.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

    from parlour.vocabulary.clock import Clock

_SHARE: Final = limits.DELIVERY_SHARE_PERCENT / 100


class Governor:
    """The bucket of one process."""

    def __init__(
        self,
        clock: Clock,
        is_busy: Callable[[], bool],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """``is_busy``: whether requests are running now."""
        self._clock = clock
        self._is_busy = is_busy
        self._sleep = sleep
        self._left_ms = float(limits.DELIVERY_BURST_MS)
        self._filled_at_ms = clock.monotonic_ms()

    def used(self, ms: float) -> None:
        """Take out what a piece of work took."""
        self._left_ms -= ms

    async def turn(self) -> None:
        """Wait until deliveries may go on. The wait is bounded by what they used before."""
        wait_ms = self._wait_ms()
        if wait_ms > 0:
            await self._sleep(wait_ms / 1000)

    def _wait_ms(self) -> float:
        now_ms = self._clock.monotonic_ms()
        most = float(limits.DELIVERY_BURST_MS)
        if not self._is_busy():
            self._left_ms = most
        else:
            passed_ms = max(0.0, now_ms - self._filled_at_ms)
            self._left_ms = min(most, self._left_ms + passed_ms * _SHARE)
        self._filled_at_ms = now_ms
        return max(0.0, -self._left_ms / _SHARE)

    async def measured(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine, and take out the time of its steps; its waiting costs nothing."""
        return await _Steps(work, self._clock, self.used)


class _Steps:
    """Drives a coroutine one step at a time, with a watch in the hand."""

    __slots__ = ("_clock", "_used", "_work")

    def __init__(
        self, work: Coroutine[Any, Any, Any], clock: Clock, used: Callable[[float], None]
    ) -> None:
        self._work = work
        self._clock = clock
        self._used = used

    def __await__(self) -> Generator[Any, Any, Any]:
        """What the coroutine waits for, and in the end what it returns."""
        watch, work = self._clock.monotonic_ms, self._work
        error: BaseException | None = None
        sent: Any = None
        while True:  # Ends with the coroutine.
            begun = watch()
            try:
                awaited = work.send(sent) if error is None else work.throw(error)
            except StopIteration as stop:
                return stop.value
            finally:
                self._used(watch() - begun)
            error = sent = None
            try:
                sent = yield awaited
            except GeneratorExit:
                work.close()
                raise
            except BaseException as thrown:  # noqa: BLE001 - handed on in the next step.
                error = thrown
