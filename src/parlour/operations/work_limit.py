"""How many requests may be in work at once: as many as the server answers soon.

A fixed number is wrong on every machine but one: a queue of 500 requests is 50 ms of work for a
fast operation and a second for a slow one. What callers feel is the sojourn time: from when a
request begins to be served until its answer is there, without the time that it waits outside
(for a pre-action webhook). By Little's law it is the number of requests in work divided by how
many end per second, so the limit times ``target / sojourn`` is the limit at which it is on target.

The limit begins at what takes ``WORK_MS_BURST`` of the processor, by what requests of late cost. A
program that sends some hundred requests at once gets its answers, and when more come than can be
done, the first are not late either. While there are too many, the limit follows the sojourn time.

Windows of ``WORK_WINDOW_MS``; at the end of each, with the mean sojourn time of what ended in it:

====================================  ======================================================
the window                            what follows
====================================  ======================================================
sojourn over the target, more than    from the ``WORK_LATE_WINDOWS_MIN``-th of them in a row on the
``WORK_LIMIT_MIN`` at once            limit becomes ``most at once * target / sojourn``, at least
                                      ``WORK_SHRINKING_PERCENT_MIN`` of it: a disk that is slow
                                      for a moment is no overload
limit reached, sojourn within         the limit becomes ``limit * target / sojourn``, at most
                                      ``WORK_GROWTH_PERCENT_MAX`` of it
limit not reached, sojourn within     the limit becomes ``WORK_GROWTH_PERCENT_MAX`` of it
at most ``WORK_CALM_REQUESTS_MAX``    as above, and the sojourn counts for what a request takes
at once                               in calm
====================================  ======================================================

The target is ``WORK_MS_TARGET``, or ``WORK_CALM_MULTIPLE`` times the calm sojourn where that is
more, up to ``WORK_MS_TARGET_MAX``: with a slow store a small limit would cost throughput and gain
nothing. The limit is never below ``WORK_LIMIT_MIN``, nor above what the settings allow.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.vocabulary.clock import Clock


def _processor_ms() -> float:
    """Of this thread: what other processes take says nothing of the requests."""
    return time.thread_time() * 1000


class WorkSlot:
    """One request in work."""

    __slots__ = ("_limit", "begun_ms", "is_outside", "outside_ms")

    def __init__(self, limit: WorkLimit, begun_ms: float) -> None:
        self._limit = limit
        self.begun_ms = begun_ms
        self.is_outside = False
        self.outside_ms = 0.0

    def suspend(self) -> None:
        """Leave the limit to others while the request waits outside."""
        assert not self.is_outside
        self.is_outside = True
        self._limit.in_work -= 1
        self.outside_ms -= self._limit.now()

    def resume(self) -> None:
        """Count again, whether there is room or not."""
        assert self.is_outside
        self.is_outside = False
        self._limit.in_work += 1
        self.outside_ms += self._limit.now()

    def end(self) -> None:
        """The request has its answer."""
        assert not self.is_outside
        self._limit.leave(self.begun_ms + self.outside_ms)


class WorkLimit:
    """Counts requests in work, and adapts how many there may be."""

    def __init__(
        self, clock: Clock, limit_max: int, processor_ms: Callable[[], float] = _processor_ms
    ) -> None:
        """``limit_max``: the limit is never above it, whatever is measured.

        ``processor_ms``: the processor time that this thread has used, in milliseconds.
        """
        self.now = clock.monotonic_ms
        self._processor_ms = processor_ms
        self._limit_min = min(limits.WORK_LIMIT_MIN, limit_max)
        self._limit_max = limit_max
        self.limit = limit_max
        self._burst_max = limit_max
        self.in_work = 0
        self._calm_ms = 0.0
        self._cost_ms = 0.0
        """What a request takes of the processor; 0 while that is not known."""
        self._used_ms = processor_ms()
        self._begun_ms = clock.monotonic_ms()
        self._ends_ms = self._begun_ms + limits.WORK_WINDOW_MS
        self._ended = 0
        self._sojourn_ms = 0.0
        self._most = 0
        self._is_reached = False
        self._late_windows = 0

    @property
    def has_room(self) -> bool:
        """Whether another request may begin. False counts as one that found no room."""
        if self.in_work < self.limit:
            return True
        self._is_reached = True
        return False

    def enter(self) -> WorkSlot:
        """Count a request that begins."""
        self.in_work += 1
        if self.in_work > self._most:  # noqa: PLR1730 - a call costs more.
            self._most = self.in_work
        return WorkSlot(self, self.now())

    def leave(self, begun_ms: float) -> None:
        """Count a request that has its answer; ``begun_ms`` without the time outside."""
        assert self.in_work > 0
        self.in_work -= 1
        now = self.now()
        self._ended += 1
        self._sojourn_ms += now - begun_ms
        if now >= self._ends_ms:
            self._end_window(now)

    def _end_window(self, now: float) -> None:
        is_long = now - self._begun_ms >= 10 * limits.WORK_WINDOW_MS
        is_full = self._ended >= limits.WORK_WINDOW_REQUESTS_MIN
        if not is_full and not is_long:
            return
        used_ms = self._processor_ms()
        if is_full:
            self._count_cost((used_ms - self._used_ms) / self._ended)
        self._adjust(self._sojourn_ms / self._ended)
        self._used_ms = used_ms
        self._begun_ms = now
        self._ends_ms = now + limits.WORK_WINDOW_MS
        self._ended = 0
        self._sojourn_ms = 0.0
        self._most = self.in_work
        self._is_reached = False

    def _count_cost(self, cost_ms: float) -> None:
        """Work out how many requests may be in work though the limit was not reached of late."""
        self._cost_ms += (cost_ms - self._cost_ms) / (limits.WORK_COST_PART if self._cost_ms else 1)
        burst = int(limits.WORK_MS_BURST / max(self._cost_ms, 0.001))
        self._burst_max = max(self._limit_min, min(self._limit_max, burst))

    def _adjust(self, sojourn_ms: float) -> None:
        is_calm = self._most <= limits.WORK_CALM_REQUESTS_MAX
        if is_calm:
            self._calm_ms += (sojourn_ms - self._calm_ms) / limits.WORK_CALM_PART
        calm = min(limits.WORK_MS_TARGET_MAX, limits.WORK_CALM_MULTIPLE * self._calm_ms)
        target = max(limits.WORK_MS_TARGET, calm)
        factor = target / max(sojourn_ms, 0.001)
        is_reached = self._is_reached or self._most >= self.limit
        growth = limits.WORK_GROWTH_PERCENT_MAX / 100
        is_late = self._most > self._limit_min and factor < 1
        self._late_windows = self._late_windows + 1 if is_late else 0
        if self._late_windows >= limits.WORK_LATE_WINDOWS_MIN:
            factor = max(limits.WORK_SHRINKING_PERCENT_MIN / 100, factor)
            limit = int(min(self._most, self.limit) * factor)
        elif is_late:
            limit = self.limit
        elif is_calm or not is_reached:
            limit = int(self.limit * growth) + 1
        else:
            limit = int(self.limit * min(growth, factor)) + 1
        self.limit = max(self._limit_min, min(self._burst_max, limit))
