"""Limits the time of deliveries on the event loop while API requests are running.

A token bucket of milliseconds: work consumes the time that its steps took on the event loop, by the
monotonic clock. While requests run the bucket is refilled at ``DELIVERY_SHARE_PERCENT`` of the
elapsed time. An empty bucket delays deliveries and never stops them. Without running requests there
is no limit.

Each account also has a bucket, which is refilled with an equal part of the same share. An account
that used no more than its part is not delayed, even if others emptied the common bucket; they are
delayed longer instead. An account that used more proceeds once the common bucket has credit, so no
time is wasted. Intake counts as one more account (``""``).
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
    """The token buckets of one process: the common one, and one of each account."""

    # Invariants:
    #   - No bucket exceeds DELIVERY_BURST_MS: an idle time cannot be saved up for later.
    #   - A balance may become negative, as the cost is known only after the work. The debt
    #     of the common bucket bounds the next wait.
    #   - A full bucket is not stored: an account without an entry has its whole burst.

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
        # Buckets that are not full. Beyond DELIVERY_ACCOUNTS_MEASURED_MAX accounts share "".
        self._left_of: dict[str, float] = {}
        self._filled_at_ms = clock.monotonic_ms()

    def charge(self, ms: float, account_sid: str = "") -> None:
        """Consume the time of one step of an account on the event loop."""
        self._left_ms -= ms
        party = self._party(account_sid)
        self._left_of[party] = self._left_of.get(party, float(limits.DELIVERY_BURST_MS)) - ms

    def charge_all(self, ms: float, account_sids: Collection[str]) -> None:
        """Consume the time of work for several accounts, in equal parts."""
        for account_sid in account_sids:
            self.charge(ms / len(account_sids), account_sid)

    def _party(self, account_sid: str) -> str:
        is_full = len(self._left_of) >= limits.DELIVERY_ACCOUNTS_MEASURED_MAX
        return "" if is_full and account_sid not in self._left_of else account_sid

    async def wait(self, account_sid: str = "") -> None:
        """Wait until an account may proceed, bounded by the debt of the common bucket."""
        wait_ms = self.wait_ms()
        if wait_ms > 0 and not self.has_credit(account_sid):
            await self._sleep(wait_ms / 1000)

    def has_credit(self, account_sid: str) -> bool:
        """Return whether an account used no more than its part, as of the last ``wait_ms``."""
        return self._left_of.get(self._party(account_sid), 0.0) >= 0

    def wait_ms(self) -> float:
        """Refill the buckets; return how long an account without credit has to wait."""
        # Refilled here, and not by a timer, so that an idle process does not wake up.
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
        """Divide the refill among the buckets that are not full; drop those that become full."""
        most = float(limits.DELIVERY_BURST_MS)
        part_ms = gained_ms / max(1, len(self._left_of))
        self._left_of = {
            account_sid: left_ms + part_ms
            for account_sid, left_ms in self._left_of.items()
            if left_ms + part_ms < most
        }

    async def metered(self, work: Coroutine[Any, Any, Any], account_sid: str = "") -> Any:
        """Run a coroutine and charge the time of its steps; time spent waiting is free."""
        used = partial(self.charge, account_sid=account_sid) if account_sid else self.charge
        return await _TimedSteps(work, self._clock, used)

    async def metered_for_all(
        self, work: Coroutine[Any, Any, Any], account_sids: Collection[str]
    ) -> Any:
        """Run a coroutine and charge its steps to several accounts, at the end."""
        steps: list[float] = []
        try:
            return await _TimedSteps(work, self._clock, steps.append)
        finally:
            self.charge_all(sum(steps), account_sids)


class _TimedSteps:
    """An awaitable that drives a coroutine step by step and reports the time of each step."""

    # Each ``send`` runs the coroutine up to its next await on the event loop. Only that is
    # charged; while the awaited future is pending, other tasks run.

    __slots__ = ("_clock", "_used", "_work")

    def __init__(
        self, work: Coroutine[Any, Any, Any], clock: Clock, used: Callable[[float], None]
    ) -> None:
        self._work = work
        self._clock = clock
        self._used = used

    def __await__(self) -> Generator[Any, Any, Any]:
        """Yield the futures that the coroutine awaits; return its result."""
        time_ms, work = self._clock.monotonic_ms, self._work
        error: BaseException | None = None
        sent: Any = None
        while True:  # Ends with the coroutine.
            started_ms = time_ms()
            try:
                awaited = work.send(sent) if error is None else work.throw(error)
            except StopIteration as stop:
                return stop.value
            finally:
                self._used(time_ms() - started_ms)
            error = sent = None
            try:
                sent = yield awaited
            except GeneratorExit:
                work.close()
                raise
            except BaseException as thrown:  # noqa: BLE001 - thrown into the work in the next step.
                error = thrown
