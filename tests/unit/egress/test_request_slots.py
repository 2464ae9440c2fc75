"""Slots of egress: accounts share them, and waiters that time out leave no trace."""

from __future__ import annotations

import asyncio
import random

import pytest

from parlour.egress.request_slots import RequestSlots

LONG_MS = 60_000


async def hold(
    turns: RequestSlots, account: str, target: str, seconds: float, timeout_ms: int
) -> None:
    share = await turns.acquire(account, target, timeout_ms, 3)
    try:
        await asyncio.sleep(seconds)
    finally:
        turns.release(share)


def test_an_account_at_its_limit_does_not_delay_others() -> None:
    async def scenario() -> None:
        turns = RequestSlots(8)
        hanging = [
            asyncio.create_task(hold(turns, "A", f"t{number}", 60, LONG_MS)) for number in range(50)
        ]
        await asyncio.sleep(0)
        assert turns._shares.in_use == 4
        for _ in range(20):
            async with asyncio.timeout(1):
                turns.release(await turns.acquire("B", "t", LONG_MS))
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        assert (turns._shares.in_use, turns._shares.children, turns._waiting) == (0, {}, {})

    asyncio.run(scenario())


def test_waiters_for_one_target_are_served_in_order() -> None:
    async def scenario() -> None:
        turns, order = RequestSlots(8), []

        async def one(number: int) -> None:
            share = await turns.acquire("A", "t", LONG_MS, 1)
            order.append(number)
            await asyncio.sleep(0)
            turns.release(share)

        await asyncio.gather(*(one(number) for number in range(10)))
        assert order == list(range(10))

    asyncio.run(scenario())


def test_a_waiter_times_out() -> None:
    async def scenario() -> None:
        turns = RequestSlots(2)
        share = await turns.acquire("A", "t", LONG_MS)
        with pytest.raises(TimeoutError):
            await turns.acquire("A", "u", 10)
        turns.release(share)
        assert (turns._shares.children, turns._waiting) == ({}, {})

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(20))
def test_every_slot_is_released_after_cancellation_or_timeout(seed: int) -> None:
    """Many that end in the same turn of the loop, too: a place must not go to one of them."""
    dice = random.Random(seed)

    async def scenario() -> None:
        turns = RequestSlots(6)
        tasks: list[asyncio.Task[None]] = []
        for _ in range(150):
            account, target = dice.choice("ABC"), dice.choice("tu")
            seconds, timeout_ms = dice.choice([0, 0.001, 0.003]), dice.choice([1, 2, LONG_MS])
            tasks.append(asyncio.create_task(hold(turns, account, target, seconds, timeout_ms)))
            if dice.random() < 0.3:
                for task in dice.sample(tasks, min(len(tasks), 5)):
                    task.cancel()
            if dice.random() < 0.5:
                await asyncio.sleep(0)
            assert turns._shares.in_use <= 6
        results = await asyncio.gather(*tasks, return_exceptions=True)
        kinds = {type(each) for each in results}
        assert kinds <= {type(None), asyncio.CancelledError, TimeoutError}
        assert (turns._shares.in_use, turns._shares.children, turns._waiting) == (0, {}, {})

    asyncio.run(scenario())
