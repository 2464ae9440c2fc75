"""A whole server on a frozen clock that the test advances."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from parlour.vocabulary.clock import FakeClock
from tests.events.in_process_server import InProcessServer, poll_until

if TYPE_CHECKING:
    from pathlib import Path

START_MS = 1_800_000_000_000
MINUTE_MS = 60_000


class FrozenClock(FakeClock):
    """Dates are frozen until the test advances them; durations are the machine's."""

    def monotonic_ms(self) -> float:
        return time.monotonic() * 1000


def test_dates_are_those_of_the_given_clock(tmp_path: Path) -> None:
    async def run() -> None:
        async with InProcessServer(tmp_path, clock=FrozenClock(START_MS)) as instance:
            made = await instance.do("CreateConversation")
            message = await instance.send_message(made.sid, "first")
            assert (made.date_created, message.date_created) == (START_MS, START_MS)

    asyncio.run(run())


def test_a_timer_acts_after_the_clock_was_advanced_and_not_before(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FrozenClock(START_MS)
        async with InProcessServer(tmp_path, clock=clock) as instance:
            made = await instance.do("CreateConversation", {"Timers.Inactive": "PT1M"})
            scheduler = instance.app.scheduler

            async def state() -> tuple[str, int]:
                found = await instance.do("FetchConversation", Sid=made.sid)
                return found.state, found.date_updated

            async def waits_for_the_timer() -> bool:
                return await scheduler.run_due() == START_MS + MINUTE_MS

            clock.advance(MINUTE_MS - 1)
            await poll_until(waits_for_the_timer)
            assert await state() == ("active", START_MS)
            clock.advance(1)
            scheduler.wake()

            async def is_inactive() -> bool:
                return await state() == ("inactive", START_MS + MINUTE_MS)

            await poll_until(is_inactive)

    asyncio.run(run())
