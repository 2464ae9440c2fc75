"""Metrics of the requests of this process: by the minute for an hour, by account for minutes.

Counting is one search in a table of bounds and three additions, for each request. Percentiles are
computed when they are read, from the counts of durations: bounds grow by a fifth, so a percentile
is exact to that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from parlour.vocabulary.clock import Clock

_MINUTE_MS: Final = 60_000
_STEPS_PER_OCTAVE: Final = 4
_STEPS: Final = 84
_FIRST_SECONDS: Final = 0.0001
_BOUNDS: Final = tuple(_FIRST_SECONDS * 2 ** (step / _STEPS_PER_OCTAVE) for step in range(_STEPS))
"""Upper bounds of the durations that are counted together, from 0.1 ms to 3 minutes."""
_ERROR_STATUS_MIN: Final = 500


class AccountTraffic(msgspec.Struct, frozen=True):
    """The requests of an account to this process, and the milliseconds since the last one."""

    last_minute: int = 0
    last_5_minutes: int = 0
    ago_ms: int | None = None


class OneMinute(msgspec.Struct, frozen=True):
    """The requests of one minute; the durations are None without requests."""

    ago_ms: float
    """The milliseconds since its beginning."""
    requests: int
    errors: int
    p50_ms: float | None
    p99_ms: float | None
    lag_ms: float | None
    """The longest measured lag of the event loop; None if it was not measured."""


class _Minute:
    """The counts of one minute. ``accounts``: the requests of each, and the time of the last."""

    __slots__ = ("accounts", "errors", "lag_ms", "number", "times")

    def __init__(self, number: int) -> None:
        self.number = number
        self.times = [0] * (_STEPS + 1)
        self.errors = 0
        self.lag_ms: float | None = None
        self.accounts: dict[str, list[float]] = {}


class MinuteMetrics:
    """The metrics of one process. Minutes are whole minutes of the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # The minutes with requests, oldest first; the last one is counted in until its end.
        self._minutes: deque[_Minute] = deque(maxlen=limits.METRICS_MINUTES)
        self._ends_ms = -1.0
        self._current = _Minute(-1)

    def count(self, account_sid: str, status: int, seconds: float, now_ms: float) -> None:
        """Count a request that ended now, on the monotonic clock; no account: an empty SID."""
        if now_ms >= self._ends_ms:
            self._start_minute(now_ms)
        minute = self._current
        minute.times[bisect_left(_BOUNDS, seconds)] += 1
        if status >= _ERROR_STATUS_MIN:
            minute.errors += 1
        traffic = minute.accounts.get(account_sid)
        if traffic is not None:
            traffic[0] += 1
            traffic[1] = now_ms
        elif account_sid and len(minute.accounts) < limits.TRAFFIC_ACCOUNTS_MAX:
            minute.accounts[account_sid] = [1, now_ms]

    def record_lag(self, lag_ms: float) -> None:
        """Record a measured lag of the event loop."""
        now_ms = self._clock.monotonic_ms()
        if now_ms >= self._ends_ms:
            self._start_minute(now_ms)
        self._current.lag_ms = max(lag_ms, self._current.lag_ms or 0.0)

    def _start_minute(self, now_ms: float) -> None:
        number = int(now_ms // _MINUTE_MS)
        self._current = _Minute(number)
        self._minutes.append(self._current)
        self._ends_ms = (number + 1) * _MINUTE_MS
        if len(self._minutes) > limits.TRAFFIC_MINUTES + 1:
            self._minutes[-limits.TRAFFIC_MINUTES - 2].accounts = {}

    def minutes(self) -> Iterator[OneMinute]:
        """Return the metrics of each of the last minutes, oldest first; the last is the current."""
        now_ms = self._clock.monotonic_ms()
        last = int(now_ms // _MINUTE_MS)
        known = {each.number: each for each in self._minutes}
        for number in range(last - limits.METRICS_MINUTES + 1, last + 1):
            yield _minute_of(known.get(number) or _Minute(number), now_ms)

    def traffic(self, account_sid: str) -> AccountTraffic:
        """Return the requests of an account in the last minutes."""
        now_ms = self._clock.monotonic_ms()
        recent = [each for each in self._recent(now_ms) if account_sid in each.accounts]
        if not recent:
            return AccountTraffic()
        current = int(now_ms // _MINUTE_MS)
        return AccountTraffic(
            last_minute=_sum(recent, account_sid, current - 1),
            last_5_minutes=_sum(recent, account_sid, current - limits.TRAFFIC_MINUTES),
            ago_ms=max(0, round(now_ms - recent[-1].accounts[account_sid][1])),
        )

    def _recent(self, now_ms: float) -> list[_Minute]:
        first = int(now_ms // _MINUTE_MS) - limits.TRAFFIC_MINUTES
        return [each for each in self._minutes if each.number >= first]


def _sum(minutes: Iterable[_Minute], account_sid: str, first: int) -> int:
    return int(sum(each.accounts[account_sid][0] for each in minutes if each.number >= first))


def _minute_of(minute: _Minute, now_ms: float) -> OneMinute:
    requests = sum(minute.times)
    return OneMinute(
        ago_ms=now_ms - minute.number * _MINUTE_MS,
        requests=requests,
        errors=minute.errors,
        p50_ms=_percentile_ms(minute.times, requests, 0.5),
        p99_ms=_percentile_ms(minute.times, requests, 0.99),
        lag_ms=minute.lag_ms,
    )


def _percentile_ms(times: list[int], requests: int, part: float) -> float | None:
    """Return the upper bound of the durations of this part of the requests."""
    left = requests * part
    if not requests:
        return None
    for bound, count in zip(_BOUNDS, times, strict=False):
        left -= count
        if left <= 0:
            return 1000 * bound
    return 1000 * _BOUNDS[-1]
