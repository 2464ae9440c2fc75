"""The governor: deliveries get their share while requests run, and all of it otherwise."""

from __future__ import annotations

import asyncio

from parlour.delivery.governor import Governor
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock

BURST = limits.DELIVERY_BURST_MS
SHARE = limits.DELIVERY_SHARE_PERCENT / 100


class Place:
    """A governor, whether requests run, and how long deliveries waited in all."""

    def __init__(self, *, is_busy: bool) -> None:
        self.clock = FakeClock()
        self.is_busy = is_busy
        self.waited_ms = 0.0
        self.governor = Governor(self.clock, lambda: self.is_busy, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.waited_ms += seconds * 1000
        self.clock.advance(round(seconds * 1000))

    def work(self, ms: int) -> None:
        self.clock.advance(ms)
        self.governor.used(ms)


def test_nobody_waits_while_no_request_runs() -> None:
    async def scene() -> None:
        place = Place(is_busy=False)
        for _ in range(100):
            await place.governor.turn()
            place.work(50)
        assert place.waited_ms == 0

    asyncio.run(scene())


def test_while_requests_run_deliveries_get_their_share() -> None:
    async def scene() -> None:
        place = Place(is_busy=True)
        begun = place.clock.now_ms()
        for _ in range(400):
            await place.governor.turn()
            place.work(5)
        share = 400 * 5 / (place.clock.now_ms() - begun)
        assert SHARE * 0.95 < share < SHARE * 1.1

    asyncio.run(scene())


def test_a_burst_goes_at_once() -> None:
    async def scene() -> None:
        place = Place(is_busy=True)
        for _ in range(BURST):
            await place.governor.turn()
            assert place.waited_ms == 0
            place.work(1)
        place.governor.used(BURST)
        await place.governor.turn()
        assert place.waited_ms > 0

    asyncio.run(scene())


def test_a_wait_is_no_longer_than_what_was_used_asks_for() -> None:
    async def scene() -> None:
        place = Place(is_busy=True)
        place.governor.used(1000)
        await place.governor.turn()
        assert 0 < place.waited_ms <= 1000 / SHARE

    asyncio.run(scene())


def test_what_was_used_is_forgotten_with_the_last_request() -> None:
    async def scene() -> None:
        place = Place(is_busy=True)
        place.governor.used(1000)
        place.is_busy = False
        await place.governor.turn()
        assert place.waited_ms == 0

    asyncio.run(scene())


def test_only_the_steps_of_a_coroutine_are_measured() -> None:
    async def scene() -> None:
        place = Place(is_busy=True)
        used: list[float] = []
        place.governor.used = used.append  # type: ignore[method-assign]

        async def work() -> str:
            place.clock.advance(3)
            await asyncio.sleep(0)
            place.clock.advance(4)
            return "done"

        async def meanwhile() -> None:
            place.clock.advance(1000)

        done, _ = await asyncio.gather(place.governor.measured(work()), meanwhile())
        assert done == "done"
        assert used == [3, 4]

    asyncio.run(scene())


def test_what_a_coroutine_raises_comes_out_and_what_is_thrown_gets_in() -> None:
    async def scene() -> None:
        place = Place(is_busy=True)

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
            await place.governor.measured(fails())
        except LookupError:
            pass
        else:
            raise AssertionError
        task = asyncio.ensure_future(place.governor.measured(catches()))
        await asyncio.sleep(0)
        task.cancel()
        assert await task == "caught"

    asyncio.run(scene())
