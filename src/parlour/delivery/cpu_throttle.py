"""How much of the one processor deliveries may take while requests are running.

A bucket of milliseconds: work takes out what it really took, and while requests run it fills at
``DELIVERY_SHARE_PERCENT`` of the time that passes. An empty bucket means waiting, never for good,
so deliveries fall behind under full load and do not stop. Without running requests nobody waits.

Each account has a bucket of its own besides, which fills with an equal part of the same share. One
that used no more than its part may go on, even if others left the common bucket empty: they wait
longer instead. One that used more goes on when the common bucket has something, so nothing is left
unused. Intake is one more party (the account ``""``).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator

    from parlour.vocabulary.clock import Clock

_SHARE: Final = limits.DELIVERY_SHARE_PERCENT / 100


class CpuThrottle:
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
        # Of accounts whose bucket is not full. An account beyond so many has none of its own.
        self._left_of: dict[str, float] = {}
        self._filled_at_ms = clock.monotonic_ms()

    def charge(self, ms: float, account_sid: str = "") -> None:
        """Take out what a piece of work took."""
        self._left_ms -= ms
        party = self._party(account_sid)
        self._left_of[party] = self._left_of.get(party, float(limits.DELIVERY_BURST_MS)) - ms

    def charge_all(self, ms: float, account_sids: Collection[str]) -> None:
        """Take out what one piece of work for several accounts took, in equal parts."""
        for account_sid in account_sids:
            self.charge(ms / len(account_sids), account_sid)

    def _party(self, account_sid: str) -> str:
        is_full = len(self._left_of) >= limits.DELIVERY_ACCOUNTS_MEASURED_MAX
        return "" if is_full and account_sid not in self._left_of else account_sid

    async def wait(self, account_sid: str = "") -> None:
        """Wait until an account may go on. The wait is bounded by what was used before."""
        wait_ms = self.wait_ms()
        if wait_ms > 0 and not self.has_credit(account_sid):
            await self._sleep(wait_ms / 1000)

    def has_credit(self, account_sid: str) -> bool:
        """Whether an account used no more than its part, as of the last ``wait_ms``."""
        return self._left_of.get(self._party(account_sid), 0.0) >= 0

    def wait_ms(self) -> float:
        """How long an account has to wait that has no credit of its own."""
        now_ms = self._clock.monotonic_ms()
        most = float(limits.DELIVERY_BURST_MS)
        if not self._is_busy():
            self._left_ms = most
            self._left_of.clear()
        else:
            gained_ms = max(0.0, now_ms - self._filled_at_ms) * _SHARE
            self._left_ms = min(most, self._left_ms + gained_ms)
            self._fill_each(gained_ms)
        self._filled_at_ms = now_ms
        return max(0.0, -self._left_ms / _SHARE)

    def _fill_each(self, gained_ms: float) -> None:
        """Divide what was gained among the accounts that used something."""
        most = float(limits.DELIVERY_BURST_MS)
        part_ms = gained_ms / max(1, len(self._left_of))
        self._left_of = {
            account_sid: left_ms + part_ms
            for account_sid, left_ms in self._left_of.items()
            if left_ms + part_ms < most
        }

    async def metered(self, work: Coroutine[Any, Any, Any], account_sid: str = "") -> Any:
        """Run a coroutine, and take out the time of its steps; its waiting costs nothing."""
        used = partial(self.charge, account_sid=account_sid) if account_sid else self.charge
        return await _TimedSteps(work, self._clock, used)

    async def metered_for_all(
        self, work: Coroutine[Any, Any, Any], account_sids: Collection[str]
    ) -> Any:
        """The same for work that is for several accounts: it is taken out at the end."""
        steps: list[float] = []
        try:
            return await _TimedSteps(work, self._clock, steps.append)
        finally:
            self.charge_all(sum(steps), account_sids)


class _TimedSteps:
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
