"""The limit of requests in flight follows their latency."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlour.operations.work_limit import WorkLimit
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock

MOST = 1000


def made(clock: FakeClock, limit_max: int) -> WorkLimit:
    """A limit of requests that use no processor time."""
    return WorkLimit(clock, limit_max, lambda: 0.0)


def window(work: WorkLimit, clock: FakeClock, *, at_once: int, sojourn_ms: int) -> None:
    """Keep so many requests in flight, one batch after the other, for one window."""
    spent = 0
    while spent <= limits.WORK_WINDOW_MS:
        for _ in range(at_once):
            _ = work.has_room
        started = [work.enter() for _ in range(min(at_once, work.limit))]
        clock.advance(sojourn_ms)
        spent += sojourn_ms
        for each in started:
            each.end()


def test_slow_requests_shrink_the_limit_to_meet_the_target() -> None:
    clock = FakeClock()
    work = made(clock, 800)

    for _ in range(limits.WORK_LATE_WINDOWS_MIN):
        assert work.limit == 800
        window(work, clock, at_once=800, sojourn_ms=int(limits.WORK_MS_TARGET * 1.6))

    assert 400 <= work.limit <= 510


def test_one_late_window_leaves_the_limit_unchanged() -> None:
    clock = FakeClock()
    work = made(clock, MOST)

    for _ in range(10):
        window(work, clock, at_once=MOST, sojourn_ms=2 * limits.WORK_MS_TARGET)
        for _ in range(3):  # The first still has requests of the late one in it.
            window(work, clock, at_once=10, sojourn_ms=5)

    assert work.limit == MOST


@pytest.mark.parametrize(("cost_ms", "limit"), [(0.01, MOST), (0.5, 240), (10.0, 96)])
def test_the_limit_starts_at_the_burst_of_cpu_time(cost_ms: float, limit: int) -> None:
    clock = FakeClock()
    used = 0.0
    work = WorkLimit(clock, MOST, lambda: used)
    for _ in range(30):
        started = [work.enter() for _ in range(limits.WORK_WINDOW_REQUESTS_MIN)]
        clock.advance(limits.WORK_WINDOW_MS)
        used += cost_ms * len(started)
        for each in started:
            each.end()

    assert abs(work.limit - limit) <= 1


def test_cost_of_few_requests_is_not_counted() -> None:
    clock = FakeClock()
    used = 0.0
    work = WorkLimit(clock, MOST, lambda: used)
    for _ in range(30):
        started = work.enter()
        clock.advance(limits.WORK_WINDOW_MS)
        used += limits.WORK_WINDOW_MS
        started.end()

    assert work.limit == MOST


def test_limit_shrinks_by_half_at_most_and_not_below_the_minimum() -> None:
    clock = FakeClock()
    work = made(clock, 800)

    for _ in range(limits.WORK_LATE_WINDOWS_MIN):
        window(work, clock, at_once=800, sojourn_ms=5 * limits.WORK_WINDOW_MS)
    assert work.limit == 800 * limits.WORK_SHRINKING_PERCENT_MIN // 100
    for _ in range(5):
        window(work, clock, at_once=800, sojourn_ms=5 * limits.WORK_WINDOW_MS)

    assert work.limit == limits.WORK_LIMIT_MIN


def test_limit_recovers_when_requests_meet_the_target() -> None:
    clock = FakeClock()
    work = made(clock, MOST)
    work.limit = limits.WORK_LIMIT_MIN

    for _ in range(20):
        window(work, clock, at_once=10, sojourn_ms=5)

    assert work.limit == MOST


def test_reached_limit_with_fast_responses_grows() -> None:
    clock = FakeClock()
    work = made(clock, MOST)
    before = work.limit = 200

    window(work, clock, at_once=MOST, sojourn_ms=5)
    assert work.limit == int(before * limits.WORK_GROWTH_PERCENT_MAX / 100) + 1
    for _ in range(10):
        window(work, clock, at_once=MOST, sojourn_ms=5)

    assert work.limit == MOST


def test_few_slow_requests_leave_the_limit_unchanged() -> None:
    clock = FakeClock()
    work = made(clock, MOST)

    for _ in range(10):
        window(work, clock, at_once=limits.WORK_LIMIT_MIN // 2, sojourn_ms=500)

    assert work.limit == MOST


def test_slow_store_raises_the_target_up_to_its_bound() -> None:
    clock = FakeClock()
    work = made(clock, MOST)
    for _ in range(50):
        window(work, clock, at_once=2, sojourn_ms=30)

    for _ in range(10):
        window(work, clock, at_once=work.limit, sojourn_ms=80)
    assert work.limit == MOST
    for _ in range(100):
        window(work, clock, at_once=2, sojourn_ms=3000)
    for _ in range(10):
        window(work, clock, at_once=work.limit, sojourn_ms=int(limits.WORK_MS_TARGET_MAX) * 2)

    assert work.limit < MOST


def test_suspended_time_counts_neither_as_in_flight_nor_as_sojourn() -> None:
    clock = FakeClock()
    work = made(clock, MOST)
    before = work.limit
    started = [work.enter() for _ in range(before)]
    for each in started:
        each.suspend()

    assert work.has_room
    assert work.in_work == 0
    clock.advance(5000)
    for each in started:
        each.resume()
        each.end()

    assert work.limit >= before


def test_few_requests_are_measured_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WORK_LATE_WINDOWS_MIN", 1)
    clock = FakeClock()
    work = made(clock, 200)

    few = limits.WORK_WINDOW_REQUESTS_MIN - 1
    started = [work.enter() for _ in range(200)]
    for each in started[:few]:
        clock.advance(40)
        each.end()
    assert work.limit == 200
    clock.advance(40)
    started[few].end()

    assert work.limit < 200


def test_setting_below_the_minimum_is_the_limit() -> None:
    work = made(FakeClock(), 3)

    for _ in range(3):
        assert work.has_room
        work.enter()

    assert work.limit == 3
    assert not work.has_room


@settings(max_examples=40)
@given(
    limit_max=st.integers(1, 5000),
    steps=st.lists(st.tuples(st.integers(1, 1500), st.integers(0, 3000)), max_size=30),
)
def test_limit_stays_within_its_bounds(limit_max: int, steps: list[tuple[int, int]]) -> None:
    clock = FakeClock()
    work = made(clock, limit_max)
    for at_once, sojourn_ms in steps:
        started = []
        while work.has_room and len(started) < at_once:
            started.append(work.enter())
        clock.advance(sojourn_ms)
        for each in started:
            each.end()

        assert min(limits.WORK_LIMIT_MIN, limit_max) <= work.limit <= limit_max
        assert work.in_work == 0
