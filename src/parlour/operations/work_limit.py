"""The adaptive limit of concurrent requests: as many as keep the latency on target.

A fixed limit suits one machine only: a queue of 500 requests is 50 ms of work for a fast operation
and a second for a slow one. Clients notice the sojourn time: from the start of a request to its
response, without the time that it waits for a pre-action webhook. By Little's law it is the number
of requests in flight divided by the throughput, so the limit times ``target / sojourn`` is the
limit at which it meets the target.

The limit starts at the number of requests that take ``WORK_MS_BURST`` of CPU time together, by
their recent cost. A burst of some hundred requests is served, and if more requests arrive than can
be served, the first of them are not late either. Under overload the limit follows the sojourn time.

It is adjusted after each window of ``WORK_WINDOW_MS``, by the mean sojourn time of the requests
that ended in the window:

====================================  ======================================================
the window                            the limit
====================================  ======================================================
sojourn above the target, more than   from the ``WORK_LATE_WINDOWS_MIN``-th consecutive one on
``WORK_LIMIT_MIN`` in flight          ``maximum in flight * target / sojourn``, at least
                                      ``WORK_SHRINKING_PERCENT_MIN`` of it: a single stall of the
                                      disk is not an overload
limit reached, sojourn within         ``limit * target / sojourn``, at most
                                      ``WORK_GROWTH_PERCENT_MAX`` of it
limit not reached, sojourn within     ``WORK_GROWTH_PERCENT_MAX`` of it
at most ``WORK_CALM_REQUESTS_MAX``    as above, and the sojourn is averaged into the baseline
in flight                             without load
====================================  ======================================================

The target is ``WORK_MS_TARGET``, or ``WORK_CALM_MULTIPLE`` times the baseline if that is more, up
to ``WORK_MS_TARGET_MAX``: with a slow store a small limit would reduce the throughput without
improving the latency. The limit is never below ``WORK_LIMIT_MIN``, nor above the configured
maximum.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.vocabulary.clock import Clock


def _processor_ms() -> float:
    """Return the CPU time of this thread only: other threads do not run requests."""
    return time.thread_time() * 1000


class WorkSlot:
    """The slot of one request in flight."""

    __slots__ = ("_limit", "begun_ms", "is_outside", "outside_ms")

    def __init__(self, limit: WorkLimit, begun_ms: float) -> None:
        self._limit = limit
        self.begun_ms = begun_ms
        self.is_outside = False
        self.outside_ms = 0.0

    def suspend(self) -> None:
        """Release the slot while the request waits for a pre-action webhook."""
        assert not self.is_outside
        self.is_outside = True
        self._limit.in_work -= 1
        self.outside_ms -= self._limit.now()

    def resume(self) -> None:
        """Count the request again, even above the limit."""
        assert self.is_outside
        self.is_outside = False
        self._limit.in_work += 1
        self.outside_ms += self._limit.now()

    def end(self) -> None:
        """Release the slot after the response."""
        assert not self.is_outside
        self._limit.leave(self.begun_ms + self.outside_ms)


class WorkLimit:
    """Counts requests in flight, and adapts their limit."""

    def __init__(
        self, clock: Clock, limit_max: int, processor_ms: Callable[[], float] = _processor_ms
    ) -> None:
        """``limit_max``: upper bound of the limit, regardless of measurements.

        ``processor_ms``: returns the CPU time used by this thread, in milliseconds.
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
        """Average CPU time of a request; 0 before the first measurement."""
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
        """Whether another request may start. False records that the limit was reached."""
        if self.in_work < self.limit:
            return True
        self._is_reached = True
        return False

    def enter(self) -> WorkSlot:
        """Acquire a slot for a request."""
        self.in_work += 1
        if self.in_work > self._most:  # noqa: PLR1730 - a call costs more.
            self._most = self.in_work
        return WorkSlot(self, self.now())

    def leave(self, begun_ms: float) -> None:
        """Count a request that ended; ``begun_ms`` is its start plus the time it was suspended."""
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
        """Compute the limit to start with from the recent CPU time of requests."""
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
