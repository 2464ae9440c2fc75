"""Metrics of requests: by the minute with percentiles, and by account for the last minutes."""

from __future__ import annotations

import pytest

from parlour.operations.minute_metrics import AccountTraffic, MinuteMetrics, OneMinute
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock

MINUTE_MS = 60_000


def made() -> tuple[MinuteMetrics, FakeClock]:
    """Return new metrics, at the beginning of a minute."""
    clock = FakeClock()
    clock.advance(MINUTE_MS - clock.now_ms() % MINUTE_MS)
    return MinuteMetrics(clock), clock


def count(by_minute: MinuteMetrics, clock: FakeClock, sid: str = "AC1", **values: float) -> None:
    """Count one request that ends now."""
    status = int(values.get("status", 200))
    by_minute.count(sid, status, values.get("seconds", 0.01), clock.monotonic_ms())


def test_an_hour_of_minutes_is_shown_also_without_requests() -> None:
    by_minute, _ = made()
    shown = list(by_minute.minutes())
    assert len(shown) == limits.METRICS_MINUTES
    assert {each.requests for each in shown} == {0}
    assert {each.p50_ms for each in shown} == {None}
    assert [round(each.ago_ms / MINUTE_MS) for each in shown] == list(range(59, -1, -1))


def test_requests_count_in_the_minute_of_their_end() -> None:
    by_minute, clock = made()
    count(by_minute, clock)
    count(by_minute, clock, status=503)
    clock.advance(2 * MINUTE_MS)
    count(by_minute, clock, "")
    shown = list(by_minute.minutes())
    assert [each.requests for each in shown[-4:]] == [0, 2, 0, 1]
    assert [each.errors for each in shown[-4:]] == [0, 1, 0, 0]


def test_percentiles_are_exact_to_a_fifth() -> None:
    by_minute, clock = made()
    for _ in range(98):
        count(by_minute, clock, seconds=0.010)
    for seconds in (0.5, 1000):
        count(by_minute, clock, seconds=seconds)
    last = list(by_minute.minutes())[-1]
    assert last.p50_ms == pytest.approx(10, rel=0.2)
    assert last.p99_ms == pytest.approx(500, rel=0.2)


def test_a_duration_beyond_the_last_bound_counts_as_that_bound() -> None:
    by_minute, clock = made()
    count(by_minute, clock, seconds=1_000_000)
    last = list(by_minute.minutes())[-1]
    assert last.p50_ms is not None
    assert last.p50_ms > 120_000


def test_minutes_older_than_an_hour_are_forgotten() -> None:
    by_minute, clock = made()
    for _ in range(100):
        count(by_minute, clock)
        clock.advance(MINUTE_MS)
    shown = list(by_minute.minutes())
    assert [each.requests for each in shown] == [1] * 59 + [0]


def test_the_longest_lag_of_a_minute_is_shown() -> None:
    by_minute, clock = made()
    for lag_ms in (3.0, 40.0, 5.0):
        by_minute.record_lag(lag_ms)
    clock.advance(MINUTE_MS)
    by_minute.record_lag(1.0)
    shown: list[OneMinute] = list(by_minute.minutes())
    assert [each.lag_ms for each in shown[-3:]] == [None, 40.0, 1.0]


def test_traffic_is_by_account_for_some_minutes() -> None:
    by_minute, clock = made()
    assert by_minute.traffic("AC1") == AccountTraffic()
    count(by_minute, clock)
    count(by_minute, clock, "AC2")
    clock.advance(3 * MINUTE_MS)
    count(by_minute, clock)
    clock.advance(500)
    assert by_minute.traffic("AC1") == AccountTraffic(1, 2, 500)
    clock.advance(3 * MINUTE_MS)
    assert by_minute.traffic("AC1") == AccountTraffic(0, 1, 3 * MINUTE_MS + 500)
    assert by_minute.traffic("AC2") == AccountTraffic()
    clock.advance(10 * MINUTE_MS)
    assert by_minute.traffic("AC1") == AccountTraffic()


def test_the_requests_of_accounts_are_dropped_after_some_minutes() -> None:
    by_minute, clock = made()
    for _ in range(limits.TRAFFIC_MINUTES + 3):
        count(by_minute, clock)
        clock.advance(MINUTE_MS)
    held = [bool(each.accounts) for each in by_minute._minutes]
    assert held == [False, False, *[True] * (limits.TRAFFIC_MINUTES + 1)]


def test_accounts_beyond_the_limit_are_counted_in_the_minute_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "TRAFFIC_ACCOUNTS_MAX", 1)
    by_minute, clock = made()
    count(by_minute, clock)
    count(by_minute, clock, "AC2")
    assert by_minute.traffic("AC2") == AccountTraffic()
    assert list(by_minute.minutes())[-1].requests == 2
