"""Actions of the SQLite engine that are not committed, and numbers of creation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.store.faulty_sqlite import read_only, write
from tests.store.test_sqlite_engine import play

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from tests.store.faulty_sqlite import FaultyStore

__all__ = ["play"]

pytestmark = pytest.mark.embedded


def test_unfinished_actions_are_counted_until_their_commit(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        ended: list[int] = []
        bench.store.on_group_end(lambda: ended.append(bench.store.unfinished_actions()))
        assert bench.store.unfinished_actions() == 0
        bench.may_commit.clear()
        first = asyncio.create_task(bench.store.write(write(1), account_sid="AC1"))
        await bench.committing()
        second = asyncio.create_task(bench.store.write(read_only, account_sid="AC2"))
        await asyncio.sleep(0)
        assert bench.store.unfinished_actions() == 2
        assert [bench.store.unfinished_actions(sid) for sid in ("AC1", "AC2", "AC3")] == [1, 1, 0]
        bench.may_commit.set()
        await asyncio.gather(first, second)
        assert bench.store.unfinished_actions() == 0
        assert ended == [1, 0]

    play(scenario)


def test_numbers_of_creation_restart_with_the_clock(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        async def number(tx: Transaction) -> int:
            return tx.next_sequence()

        bench.clock.advance(1000)
        first = await bench.store.write(number)
        assert await bench.store.write(number) == first + 1
        bench.store.sequences.restart()
        assert await bench.store.write(number) == first == bench.clock.now_ms() * 1000
        bench.store.sequences.restart(first + 5)
        assert await bench.store.write(number) == first + 6 == bench.store.sequences.last

    play(scenario)


def test_an_action_that_failed_runs_again_in_its_group_while_its_error_is_repeatable(
    play: Any,
) -> None:
    async def scenario(bench: FaultyStore) -> None:
        failed: list[Exception | None] = []

        def is_repeated(error: Exception | None) -> bool:
            failed.append(error)
            return isinstance(error, KeyError) and len(failed) < 3

        async def act(_tx: Transaction) -> int:
            if len(failed) < attempts:
                raise KeyError(len(failed))
            return len(failed)

        bench.store.is_repeated = is_repeated
        attempts, begins = 2, bench.writer.begins()
        assert await bench.store.write(act) == 2
        assert [str(error) for error in failed] == ["0", "1", "None"]
        assert bench.writer.begins() == begins + 1

        failed.clear()
        attempts = 9
        with pytest.raises(KeyError, match="2"):
            await bench.store.write(act)
        assert len(failed) == 3

    play(scenario)
