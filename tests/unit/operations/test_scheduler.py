"""The scheduler runs due jobs, survives failures, and stops on request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.scheduler import Job, Scheduler, transactional
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemClock
from tests.support.machine_pressure import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.store.transaction import Store


SECONDS_MAX = 30


class CountedJob:
    """A job with a number of due steps at a time, and a record of its runs."""

    def __init__(self, due_ms: int | None = None, steps: int = 1, error: str = "") -> None:
        self.due_ms = due_ms
        self.steps = steps
        self.error = error
        self.done = 0
        self.looks = 0
        self.stepped = asyncio.Event()

    async def next_due_ms(self, _tx: Any) -> int | None:
        self.looks += 1
        return self.due_ms if self.steps else None

    async def run(self, _store: Store) -> None:
        if self.error:
            raise RuntimeError(self.error)
        self.steps -= 1
        self.done += 1
        self.stepped.set()

    def job(self, name: str = "work") -> Job:
        return Job(name, self.next_due_ms, self.run)


class NoStore:
    """Reads and writes are run as they are."""

    def __init__(self) -> None:
        self.writes = 0

    async def read(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return await work(None)

    async def write(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        self.writes += 1
        return await work(None)


def scheduler(clock: Any, *works: CountedJob) -> Scheduler:
    jobs = [work.job(f"job {number}") for number, work in enumerate(works)]
    return Scheduler(NoStore(), clock, jobs)  # type: ignore[arg-type]


def test_no_job_runs_before_it_is_due() -> None:
    clock = FakeClock(1_000)
    early, late, never = CountedJob(1_500), CountedJob(2_000), CountedJob(None)
    it = scheduler(clock, early, late, never)
    for now_ms, soonest, done in ((1_000, 1_500, (0, 0)), (1_499, 1_500, (0, 0))):
        clock.advance(now_ms - clock.now_ms())
        assert asyncio.run(it.run_due()) == soonest
        assert (early.done, late.done) == done
    clock.advance(1)
    assert asyncio.run(it.run_due()) == 1_500
    assert (early.done, late.done, never.done) == (1, 0, 0)
    assert asyncio.run(it.run_due()) == 2_000
    clock.advance(10_000)
    asyncio.run(it.run_due())
    assert asyncio.run(it.run_due()) is None
    assert (early.done, late.done, never.done) == (1, 1, 0)


def test_due_jobs_run_one_step_each_per_turn() -> None:
    long, short = CountedJob(0, steps=100), CountedJob(0, steps=2)
    it = scheduler(FakeClock(), long, short)
    asyncio.run(it.run_due())
    assert (long.done, short.done) == (1, 1)
    asyncio.run(it.run_due())
    assert (long.done, short.done) == (2, 2)


def test_a_failed_job_backs_off_and_the_others_run() -> None:
    clock = FakeClock()
    bad, good = CountedJob(0, steps=9, error="broken"), CountedJob(0, steps=9)
    it = scheduler(clock, bad, good)
    asyncio.run(it.run_due())
    assert (bad.looks, good.done) == (1, 1)
    asyncio.run(it.run_due())
    assert (bad.looks, good.done) == (1, 2)
    bad.error = ""
    clock.advance(limits.SCHEDULER_POLL_MS)
    asyncio.run(it.run_due())
    assert (bad.done, good.done) == (1, 3)


def test_the_next_due_time_of_a_failed_job_is_the_end_of_its_backoff() -> None:
    clock = FakeClock(1_000)
    it = scheduler(clock, CountedJob(0, error="broken"), CountedJob(9_000))
    backoff_end_ms = 1_000 + limits.SCHEDULER_POLL_MS
    assert asyncio.run(it.run_due()) == backoff_end_ms
    clock.advance(limits.SCHEDULER_POLL_MS // 2)
    assert asyncio.run(it.run_due()) == backoff_end_ms


def test_a_week_of_steps_runs_without_waiting_for_them() -> None:
    clock = FakeClock(0)
    week_ms = 7 * 24 * 60 * 60 * 1000
    daily = [CountedJob(day * week_ms // 7) for day in range(1, 8)]
    it = scheduler(clock, *daily)
    ran_at_ms: list[int] = []
    while (due_ms := asyncio.run(it.run_due())) is not None:
        if due_ms > clock.now_ms():
            clock.advance(due_ms - clock.now_ms())
            ran_at_ms.append(clock.now_ms())
    assert ran_at_ms == [work.due_ms for work in daily]
    assert [work.done for work in daily] == [1] * 7


def test_nothing_runs_without_the_lease() -> None:
    class OtherOwner:
        def current_term(self) -> None:
            return None

    work = CountedJob(0)
    it = Scheduler(NoStore(), FakeClock(), [work.job()], OtherOwner())  # type: ignore[arg-type]
    assert asyncio.run(it.run_due()) is None
    assert work.looks == 0


def test_the_others_run_if_the_query_of_a_job_fails() -> None:
    async def broken(_tx: Any) -> int | None:
        raise RuntimeError("broken")

    good = CountedJob(0)
    jobs = [Job("broken", broken, good.run), good.job()]
    it = Scheduler(NoStore(), FakeClock(), jobs)  # type: ignore[arg-type]
    asyncio.run(it.run_due())
    assert good.done == 1


def test_a_transactional_step_is_one_transaction() -> None:
    store = NoStore()
    seen: list[object] = []

    async def step(tx: object) -> None:
        seen.append(tx)

    asyncio.run(transactional(step)(store))  # type: ignore[arg-type]
    assert (store.writes, seen) == (1, [None])


async def started(*works: CountedJob) -> Scheduler:
    it = scheduler(SystemClock(), *works)
    await it.start()
    await asyncio.sleep(0)
    return it


def test_the_task_wakes_up_when_a_job_becomes_due() -> None:
    async def run() -> float:
        clock = SystemClock()
        work = CountedJob(clock.now_ms() + 100)
        it = await started(work)
        watch, start_ms = Stopwatch(), clock.monotonic_ms()
        await asyncio.wait_for(work.stepped.wait(), SECONDS_MAX)
        assert watch.seconds_at_least < 0.9
        await it.stop()
        return clock.monotonic_ms() - start_ms

    assert asyncio.run(run()) >= 80


def test_the_task_runs_a_turn_after_a_wake_up() -> None:
    async def run() -> float:
        work = CountedJob(None)
        it = await started(work)
        await asyncio.sleep(0.02)
        watch = Stopwatch()
        work.due_ms = 0
        it.wake()
        await asyncio.wait_for(work.stepped.wait(), SECONDS_MAX)
        await it.stop()
        return watch.seconds_at_least

    assert asyncio.run(run()) < 0.5


def test_a_burst_of_wake_ups_causes_few_turns() -> None:
    async def run() -> tuple[int, float]:
        work = CountedJob(None)
        it = await started(work)
        watch = Stopwatch()
        for _ in range(200):
            it.wake()
            await asyncio.sleep(0.001)
        await it.stop()
        return work.looks, watch.seconds

    looks, seconds = asyncio.run(run())
    # One for each interval, regardless of the notification's delay, and those at start and end.
    assert looks <= 3 + seconds * 1000 / limits.SCHEDULER_DEBOUNCE_MS


@pytest.mark.parametrize("due_in_ms", [None, 3_600_000])
def test_the_task_polls_every_second_without_a_wake_up(due_in_ms: int | None) -> None:
    async def run() -> int:
        clock = SystemClock()
        work = CountedJob(None if due_in_ms is None else clock.now_ms() + due_in_ms)
        it = await started(work)
        await asyncio.sleep(1.3)
        looks = work.looks
        await it.stop()
        return looks

    assert asyncio.run(run()) == 2


def test_stop_waits_for_the_step_in_progress_only() -> None:
    async def run() -> tuple[float, int]:
        clock = SystemClock()
        entered, ended = asyncio.Event(), 0

        async def due(_tx: Any) -> int | None:
            return 0

        async def slow(_store: Store) -> None:
            nonlocal ended
            entered.set()
            await asyncio.sleep(0.1)
            ended += 1

        it = Scheduler(NoStore(), clock, [Job("slow", due, slow)])  # type: ignore[arg-type]
        await it.start()
        await entered.wait()
        watch = Stopwatch()
        await it.stop()
        return watch.seconds_at_least, ended

    seconds, ended = asyncio.run(run())
    assert ended == 1
    assert seconds < 0.5


def test_a_scheduler_that_was_not_started_can_be_stopped() -> None:
    asyncio.run(scheduler(FakeClock()).stop())


def test_a_clock_that_is_stopped_before_a_due_time_causes_no_busy_loop() -> None:
    async def run() -> int:
        clock, work = FakeClock(1_000), CountedJob(1_001)
        jobs = [work.job()]
        it = Scheduler(NoStore(), clock, jobs, interval_ms_min=30)  # type: ignore[arg-type]
        await it.start()
        await asyncio.sleep(0.1)
        await it.stop()
        return work.looks

    assert asyncio.run(run()) <= 5


def test_due_times_are_those_of_jobs_that_follow_the_clock() -> None:
    async def run() -> list[tuple[int, str]]:
        jobs = [
            CountedJob(2_000).job("later"),
            CountedJob(None).job("never"),
            CountedJob(1_500).job("sweep")._replace(follows_clock=False),
            CountedJob(500).job("due"),
        ]
        it = Scheduler(NoStore(), FakeClock(1_000), jobs)  # type: ignore[arg-type]
        due = await it.due_times(None)  # type: ignore[arg-type]
        return [(due_ms, job.name) for due_ms, job in due]

    assert asyncio.run(run()) == [(2_000, "later"), (500, "due")]


def test_a_scheduler_is_running_during_the_steps_of_a_turn() -> None:
    async def run() -> list[bool]:
        seen: list[bool] = []

        async def due(_tx: Any) -> int | None:
            return 0

        async def step(_store: Store) -> None:
            seen.append(it.is_running)

        it = Scheduler(NoStore(), FakeClock(), [Job("step", due, step)])  # type: ignore[arg-type]
        await it.run_due()
        return [*seen, it.is_running]

    assert asyncio.run(run()) == [True, False]
