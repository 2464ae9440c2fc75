"""The CPU throttle: deliveries get their share while requests run, and all of it otherwise."""

from __future__ import annotations

import asyncio

from parlour.delivery.cpu_throttle import CpuThrottle
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock

BURST = limits.DELIVERY_BURST_MS
SHARE = limits.DELIVERY_SHARE_PERCENT / 100


class ThrottleSetup:
    """A throttle, whether requests run, and how long deliveries waited in total."""

    def __init__(self, *, is_busy: bool) -> None:
        self.clock = FakeClock()
        self.is_busy = is_busy
        self.waited_ms = 0.0
        self.throttle = CpuThrottle(self.clock, lambda: self.is_busy, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.waited_ms += seconds * 1000
        self.clock.advance(round(seconds * 1000))

    def work(self, ms: int) -> None:
        self.clock.advance(ms)
        self.throttle.charge(ms)


def test_work_does_not_wait_while_no_request_runs() -> None:
    async def scenario() -> None:
        place = ThrottleSetup(is_busy=False)
        for _ in range(100):
            await place.throttle.wait()
            place.work(50)
        assert place.waited_ms == 0

    asyncio.run(scenario())


def test_while_requests_run_deliveries_get_their_share() -> None:
    async def scenario() -> None:
        place = ThrottleSetup(is_busy=True)
        start_ms = place.clock.now_ms()
        for _ in range(400):
            await place.throttle.wait()
            place.work(5)
        share = 400 * 5 / (place.clock.now_ms() - start_ms)
        assert SHARE * 0.95 < share < SHARE * 1.1

    asyncio.run(scenario())


def test_a_burst_runs_at_once() -> None:
    async def scenario() -> None:
        place = ThrottleSetup(is_busy=True)
        for _ in range(BURST):
            await place.throttle.wait()
            assert place.waited_ms == 0
            place.work(1)
        place.throttle.charge(BURST)
        await place.throttle.wait()
        assert place.waited_ms > 0

    asyncio.run(scenario())


def test_a_wait_is_bounded_by_the_used_time() -> None:
    async def scenario() -> None:
        place = ThrottleSetup(is_busy=True)
        place.throttle.charge(1000)
        await place.throttle.wait()
        assert 0 < place.waited_ms <= 1000 / SHARE

    asyncio.run(scenario())


def test_an_account_within_its_share_continues_though_others_used_everything() -> None:
    async def scenario() -> None:
        place = ThrottleSetup(is_busy=True)
        throttle = place.throttle
        throttle.charge(1000, "A")
        await throttle.wait("B")
        assert place.waited_ms == 0
        throttle.charge(3, "B")
        await throttle.wait("B")
        await throttle.wait("")
        assert place.waited_ms == 0
        await throttle.wait("A")
        assert place.waited_ms > 0

    asyncio.run(scenario())


def test_two_busy_accounts_get_equal_parts_of_the_share() -> None:
    async def scenario() -> None:
        place = ThrottleSetup(is_busy=True)
        throttle, used = place.throttle, {"A": 0, "B": 0}
        throttle.charge(1000, "A")
        start_ms = place.clock.now_ms()
        while place.clock.now_ms() - start_ms < 60_000:
            wait_ms = throttle.wait_ms()
            may = [name for name in used if wait_ms <= 0 or throttle.has_credit(name)]
            if may:
                name = min(may, key=used.__getitem__)
                throttle.charge(5, name)
                used[name] += 5
            place.clock.advance(5)
        assert SHARE * 0.9 < (1000 + sum(used.values())) / 60_000 < SHARE * 1.1
        assert abs(used["B"] - (1000 + used["A"])) < 300

    asyncio.run(scenario())


def test_accounts_beyond_those_that_are_measured_share_one_part() -> None:
    place = ThrottleSetup(is_busy=True)
    throttle = place.throttle
    for number in range(limits.DELIVERY_ACCOUNTS_MEASURED_MAX + 100):
        throttle.charge(20, f"AC{number}")
    assert len(throttle._left_of) <= limits.DELIVERY_ACCOUNTS_MEASURED_MAX + 1
    throttle.wait_ms()
    assert not throttle.has_credit("one more")


def test_work_of_several_accounts_is_dequeued_in_equal_shares() -> None:
    async def scenario() -> None:
        place = ThrottleSetup(is_busy=True)

        async def work() -> str:
            place.clock.advance(40)
            return "done"

        done = await place.throttle.metered_for_all(work(), ["A", "A", "A", "B"])
        assert done == "done"
        assert place.throttle._left_of == {"A": BURST - 30, "B": BURST - 10}

    asyncio.run(scenario())


def test_used_time_is_reset_with_the_last_request() -> None:
    async def scenario() -> None:
        place = ThrottleSetup(is_busy=True)
        place.throttle.charge(1000)
        place.is_busy = False
        await place.throttle.wait()
        assert place.waited_ms == 0

    asyncio.run(scenario())


def test_only_the_steps_of_a_coroutine_are_measured() -> None:
    async def scenario() -> None:
        place = ThrottleSetup(is_busy=True)
        used: list[float] = []
        place.throttle.charge = used.append  # type: ignore[method-assign]

        async def work() -> str:
            place.clock.advance(3)
            await asyncio.sleep(0)
            place.clock.advance(4)
            return "done"

        async def advance_clock() -> None:
            place.clock.advance(1000)

        done, _ = await asyncio.gather(place.throttle.metered(work()), advance_clock())
        assert done == "done"
        assert used == [3, 4]

    asyncio.run(scenario())


def test_exceptions_pass_through_in_both_directions() -> None:
    async def scenario() -> None:
        place = ThrottleSetup(is_busy=True)

        async def fails() -> None:
            await asyncio.sleep(0)
            raise LookupError

        async def catches() -> str:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                return "caught"
            raise AssertionError

        try:
            await place.throttle.metered(fails())
        except LookupError:
            pass
        else:
            raise AssertionError
        task = asyncio.ensure_future(place.throttle.metered(catches()))
        await asyncio.sleep(0)
        task.cancel()
        assert await task == "caught"

    asyncio.run(scenario())


def test_closing_the_metered_coroutine_closes_the_work() -> None:
    steps: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            steps.append("closed")

    metered = ThrottleSetup(is_busy=True).throttle.metered(work())
    metered.send(None)
    assert steps == []
    metered.close()
    assert steps == ["closed"]
