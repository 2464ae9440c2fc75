"""Predicted reads and deferred writes: an action sees and does what it would see and do without."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING

import pytest

from parlour.store.postgres.prefetch import ReadPlans, RecordedRead
from parlour.store.transaction import ConflictScope
from parlour.vocabulary import limits
from tests.store.test_postgres_group import (
    ACCOUNT,
    ADD,
    COUNT_UP,
    SCOPE,
    SELECT_TALLY,
    StoreWithTallies,
    on_a_bench,
)

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

pytestmark = pytest.mark.timeout(60)

SUBJECT = "MB" + "0" * 32
MAKE_MEMBER = """
CREATE TABLE member (account_sid TEXT, conversation_sid TEXT, sid TEXT, number BIGINT)
"""
ADD_MEMBER = """
INSERT INTO member (account_sid, conversation_sid, sid, number) VALUES ($1, $2, $3, $4)
"""
SELECT_MEMBER = (
    "SELECT number FROM member WHERE account_sid = $1 AND conversation_sid = $2 AND sid = $3"
)
COUNT_MEMBERS = "SELECT COUNT(*) FROM member WHERE account_sid = $1 AND conversation_sid = $2"
COUNT_MEMBER_UP = """
UPDATE member SET number = $4 WHERE account_sid = $1 AND conversation_sid = $2 AND sid = $3
"""
REACH = ConflictScope("CH00", SUBJECT, "count up")
BLOCKED = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


async def count_member_up(tx: Transaction) -> int:
    """Lock the conversation, read the member without a lock, and count it up."""
    assert await tx.one(SELECT_TALLY, ACCOUNT, "CH00") is not None
    row = await tx.one(SELECT_MEMBER, ACCOUNT, "CH00", SUBJECT)
    assert row is not None
    await tx.run(COUNT_MEMBER_UP, ACCOUNT, "CH00", SUBJECT, row[0] + 1)
    await tx.emit(SCOPE, "counted", conversation_sid="CH00", subject_sid=SUBJECT, payload={})
    return int(row[0]) + 1


async def until_blocked(bench: StoreWithTallies) -> None:
    """Wait until some session waits for a lock."""
    for _ in range(1000):
        if await bench.other_connection.fetchval(BLOCKED):
            return
        await asyncio.sleep(0.005)
    raise AssertionError("no session waits for a lock")


def test_prefetched_locked_row_is_the_newest_version() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        await bench.other_connection.execute(MAKE_MEMBER)
        await bench.other_connection.execute(ADD_MEMBER, ACCOUNT, "CH00", SUBJECT, 0)
        for number in (1, 2, 3):
            counted = await bench.store.write(
                count_member_up, account_sid=ACCOUNT, conflict_scope=REACH
            )
            assert counted == number
        async with bench.other_connection.transaction():
            await bench.other_connection.execute(SELECT_TALLY, ACCOUNT, "CH00")
            await bench.other_connection.execute(COUNT_MEMBER_UP, ACCOUNT, "CH00", SUBJECT, 100)
            waiting = asyncio.create_task(
                bench.store.write(count_member_up, account_sid=ACCOUNT, conflict_scope=REACH)
            )
            await until_blocked(bench)
        assert await waiting == 101

    on_a_bench(scenario)


def test_unlocked_read_after_a_lock_is_not_prefetched() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        await bench.other_connection.execute(MAKE_MEMBER)

        async def add(tx: Transaction) -> int:
            assert await tx.one(SELECT_TALLY, ACCOUNT, "CH00") is not None
            row = await tx.one(COUNT_MEMBERS, ACCOUNT, "CH00")
            assert row is not None
            await tx.run(ADD_MEMBER, ACCOUNT, "CH00", f"MB{row[0]}", 0)
            return int(row[0])

        conflict_scope = ConflictScope("CH00", "", "add")
        assert [
            await bench.store.write(add, account_sid=ACCOUNT, conflict_scope=conflict_scope)
            for _ in "abc"
        ] == [
            0,
            1,
            2,
        ]
        async with bench.other_connection.transaction():
            await bench.other_connection.execute(SELECT_TALLY, ACCOUNT, "CH00")
            waiting = asyncio.create_task(
                bench.store.write(add, account_sid=ACCOUNT, conflict_scope=conflict_scope)
            )
            await until_blocked(bench)
            await bench.other_connection.execute(ADD_MEMBER, ACCOUNT, "CH00", "MB3", 0)
        assert await waiting == 4

    on_a_bench(scenario)


def test_write_of_no_row_returns_zero() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        async def miss(tx: Transaction) -> int:
            return await tx.run(COUNT_UP, ACCOUNT, "CH of nothing", 1)

        for _ in range(3):
            assert (
                await bench.store.write(
                    miss, account_sid=ACCOUNT, conflict_scope=ConflictScope("CH00")
                )
                == 0
            )

    on_a_bench(scenario)


def test_action_reads_its_own_writes() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        async def twice(tx: Transaction) -> list[int]:
            seen = []
            for _ in range(3):
                row = await tx.one(SELECT_TALLY, ACCOUNT, "CH00")
                assert row is not None
                seen.append(row[0])
                await tx.run(COUNT_UP, ACCOUNT, "CH00", row[0] + 1)
            return seen

        conflict_scope = ConflictScope("CH00", "", "twice")
        for start in (0, 3, 6):
            seen = await bench.store.write(
                twice, account_sid=ACCOUNT, conflict_scope=conflict_scope
            )
            assert seen == [start, start + 1, start + 2]

    on_a_bench(scenario)


def random_steps(dice: random.Random) -> list[str]:
    """Return one to four steps of an action."""
    return [dice.choice(["read", "up", "add", "miss", "emit"]) for _ in range(dice.randrange(1, 5))]


async def run_steps(tx: Transaction, sid: str, steps: list[str], new: str) -> list[int]:
    """Run the steps on a conversation; return the counts that were read."""
    seen = []
    for step in steps:
        if step in {"read", "up"}:
            row = await tx.one(SELECT_TALLY, ACCOUNT, sid)
            assert row is not None
            seen.append(int(row[0]))
            if step == "up":
                assert await tx.run(COUNT_UP, ACCOUNT, sid, row[0] + 1) == 1
        elif step == "add":
            new += "+"
            assert await tx.run(ADD, ACCOUNT, new, 7) == 1
        elif step == "miss":
            assert await tx.run(COUNT_UP, ACCOUNT, "CH of nothing", 1) == 0
        else:
            await tx.emit(SCOPE, "e", conversation_sid=sid, subject_sid=sid, payload={})
    return seen


def steps_on_model(model: dict[str, int], sid: str, steps: list[str], new: str) -> list[int]:
    """Run the steps on the model; return the counts that an action must read."""
    seen = []
    for step in steps:
        if step in {"read", "up"}:
            seen.append(model[sid])
            model[sid] += step == "up"
        elif step == "add":
            new += "+"
            model[new] = 7
    return seen


@pytest.mark.parametrize("seed", range(3))
def test_random_actions_have_the_results_of_a_model(seed: int) -> None:
    dice = random.Random(seed)

    async def scenario(bench: StoreWithTallies) -> None:
        model = dict.fromkeys((f"CH{number:02d}" for number in range(20)), 0)
        made = 0

        for _ in range(25):
            chosen = dice.sample(sorted(sid for sid in model if "+" not in sid), 4)
            actions = [
                (sid, random_steps(dice), f"{sid}-{made + number}")
                for number, sid in enumerate(chosen)
            ]
            made += len(chosen)
            results = await asyncio.gather(
                *(
                    bench.store.write(
                        partial(run_steps, sid=sid, steps=steps, new=new),
                        account_sid=ACCOUNT,
                        conflict_scope=ConflictScope(sid, "", " ".join(steps)),
                    )
                    for sid, steps, new in actions
                )
            )
            assert results == [steps_on_model(model, *action) for action in actions]
        assert await bench.tallies() == model

    on_a_bench(scenario)


def test_plans_are_bounded() -> None:
    plans = ReadPlans()
    read = RecordedRead(SELECT_TALLY, (ACCOUNT, "CH00"), is_setting=False)
    for number in range(limits.READ_PLANS_MAX + 1):
        plans.learn(ACCOUNT, ConflictScope("CH00", "", f"kind {number}"), [read], fires=False)
    assert plans.find(ACCOUNT, ConflictScope("CH00", "", "kind 0"), fires=False) == ()
    assert plans.find(ACCOUNT, ConflictScope("CH00", "", "kind 1"), fires=False) != ()
