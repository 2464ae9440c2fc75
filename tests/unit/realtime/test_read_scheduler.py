"""Turns for heavy reads: one at a time, each in its own turn, fair by account and by user."""

from __future__ import annotations

import asyncio

import pytest

from parlour.realtime.read_scheduler import ReadScheduler


def test_reads_that_are_done_in_one_go_run_in_different_turns_of_the_loop() -> None:
    async def scenario() -> None:
        scheduler, done = ReadScheduler(), []

        async def read(number: int) -> None:
            async with scheduler.slot("AC1", "user"):
                done.append(number)

        tasks = [asyncio.create_task(read(number)) for number in range(5)]
        concurrency = 0
        while len(done) < 5:
            before = len(done)
            await asyncio.sleep(0)
            concurrency = max(concurrency, len(done) - before)
        await asyncio.gather(*tasks)
        assert concurrency == 1
        assert done == [0, 1, 2, 3, 4]

    asyncio.run(scenario())


def test_reads_of_a_busy_account_alternate_with_others() -> None:
    async def scenario() -> None:
        scheduler, done = ReadScheduler(), []

        async def read(account: str) -> None:
            async with scheduler.slot(account, "user"):
                done.append(account)

        many = [asyncio.create_task(read("many")) for _ in range(20)]
        await asyncio.sleep(0)
        few = [asyncio.create_task(read("few")) for _ in range(2)]
        await asyncio.gather(*many, *few)
        assert [at for at, account in enumerate(done) if account == "few"][1] < 6

    asyncio.run(scenario())


def test_reads_of_a_busy_user_alternate_with_other_users_of_the_account() -> None:
    async def scenario() -> None:
        scheduler, done = ReadScheduler(), []

        async def read(account: str, identity: str) -> None:
            async with scheduler.slot(account, identity):
                done.append(identity)

        many = [asyncio.create_task(read("AC1", "many")) for _ in range(20)]
        await asyncio.sleep(0)
        few = [asyncio.create_task(read("AC1", "few")) for _ in range(2)]
        other = asyncio.create_task(read("AC2", "other"))
        await asyncio.gather(*many, *few, other)
        assert [at for at, identity in enumerate(done) if identity == "few"][1] < 8
        assert done.index("other") < 4

    asyncio.run(scenario())


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_turn_is_released_after_a_failure_and_a_cancelled_waiter(
    concurrency: int,
) -> None:
    async def scenario() -> None:
        scheduler = ReadScheduler(concurrency)

        async def fail() -> None:
            async with scheduler.slot("AC1", "user"):
                await asyncio.sleep(0)
                raise ValueError

        tasks = [asyncio.create_task(fail()) for _ in range(10)]
        await asyncio.sleep(0)
        for task in tasks[5:8]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(1):
            for _ in range(5):
                async with scheduler.slot("AC2", "user"):
                    pass

    asyncio.run(scenario())
