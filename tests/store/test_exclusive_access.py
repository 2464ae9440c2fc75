"""Functions that have the writer's connection of SQLite for themselves."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from parlour.store.sqlite.engine import SqliteStore
from parlour.store.transaction import Unavailable
from parlour.vocabulary import event_names
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from parlour.store.sqlite.exclusive import ExclusiveAccess
    from parlour.store.transaction import Transaction

pytestmark = pytest.mark.embedded
COUNT = "SELECT COUNT(*) FROM lease"


def insert(name: str) -> Callable[[Transaction], Awaitable[int]]:
    """Return an action that inserts a row."""

    async def act(tx: Transaction) -> int:
        sql = "INSERT INTO lease (name, owner, fence, expires_ms) VALUES ($1, '', 0, 0)"
        return await tx.run(sql, name)

    return act


def in_store(tmp_path: Path, scene: Callable[[SqliteStore], Awaitable[None]]) -> None:
    """Run a scene on a new store."""

    async def run() -> None:
        store = SqliteStore(tmp_path / "p.db", FakeClock(), SystemRandom(), synchronous="OFF")
        try:
            async with asyncio.timeout(20):
                await scene(store)
        finally:
            await store.close()

    asyncio.run(run())


def count(access: ExclusiveAccess) -> int:
    """Return the number of rows, outside of any transaction."""
    assert not access._connection.in_transaction
    return int(access.run(COUNT)[0][0])


def test_earlier_actions_are_committed_first_and_later_ones_wait(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        before = [asyncio.ensure_future(store.write(insert(f"b{n}"))) for n in range(300)]
        await asyncio.sleep(0)
        turn = asyncio.ensure_future(store.exclusively(count))
        await asyncio.sleep(0)
        after = [asyncio.ensure_future(store.write(insert(f"a{n}"))) for n in range(300)]
        assert 300 <= await turn <= 600
        await asyncio.gather(*before, *after)
        assert await store.exclusively(count) == 600

    in_store(tmp_path, scene)


def test_functions_run_one_after_the_other_with_actions_in_between(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        def add(name: str, access: ExclusiveAccess) -> None:
            with access.transaction():
                access.act(insert(name))

        await asyncio.gather(
            *(store.exclusively(partial(add, f"x{number}")) for number in range(20)),
            *(store.write(insert(f"w{n}")) for n in range(20)),
        )
        assert await store.exclusively(count) == 40

    in_store(tmp_path, scene)


def test_a_failed_function_leaves_nothing_and_the_store_goes_on(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        def fail(access: ExclusiveAccess) -> None:
            with access.transaction():
                access.act(insert("one"))
                raise LookupError("no")

        with pytest.raises(LookupError, match="no"):
            await store.exclusively(fail)
        assert await store.exclusively(count) == 0
        await store.write(insert("two"))

    in_store(tmp_path, scene)


@pytest.mark.parametrize("steps", range(12))
def test_a_caller_that_is_cancelled_at_any_time_blocks_no_other(tmp_path: Path, steps: int) -> None:
    async def scene(store: SqliteStore) -> None:
        writing = [asyncio.ensure_future(store.write(insert(f"w{n}"))) for n in range(5)]
        turn = asyncio.ensure_future(store.exclusively(count))
        other = asyncio.ensure_future(store.exclusively(count))
        for _ in range(steps):
            await asyncio.sleep(0)
        turn.cancel()
        await asyncio.gather(turn, return_exceptions=True)
        await asyncio.gather(*writing)
        assert await other == 5
        assert await store.write(insert("last")) == 1

    in_store(tmp_path, scene)


@pytest.mark.parametrize("has_writer", [False, True])
def test_a_caller_that_is_cancelled_in_the_queue_passes_the_writer_on(
    tmp_path: Path, *, has_writer: bool
) -> None:
    async def scene(store: SqliteStore) -> None:
        turn = asyncio.ensure_future(store.exclusively(count))
        await asyncio.sleep(0)
        writing = [asyncio.ensure_future(store.write(insert(f"w{n}"))) for n in range(300)]
        while not store._exclusive:  # noqa: ASYNC110 - the state has no event.
            await asyncio.sleep(0)
        if has_writer:
            # Before the caller's task runs with the writer that it gets after this group.
            store.on_group_end(turn.cancel)
        else:
            turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        await asyncio.gather(*writing)
        assert await store.exclusively(count) == len(writing)

    in_store(tmp_path, scene)


def test_a_full_disk_in_a_function_raises_unavailable(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        def fail(_access: ExclusiveAccess) -> None:
            raise apsw.FullError("database or disk is full")

        with pytest.raises(Unavailable, match="disk is full"):
            await store.exclusively(fail)
        assert await store.exclusively(count) == 0

    in_store(tmp_path, scene)


def test_events_of_a_function_wake_the_listeners_after_its_commit(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        woken: list[Any] = []
        store.on_commit(lambda: woken.append(store._writer.in_transaction))

        async def emit(tx: Transaction) -> None:
            await tx.emit(Scope("AC1"), event_names.ACCOUNT_CHANGED, subject_sid="", payload={})

        def change(access: ExclusiveAccess) -> None:
            with access.transaction():
                access.act(emit)

        await store.exclusively(change)
        assert woken == [False]

    in_store(tmp_path, scene)


def test_an_action_that_waits_for_anything_else_is_an_error(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        async def wait(_tx: Transaction) -> None:
            await asyncio.sleep(1)

        def change(access: ExclusiveAccess) -> None:
            with access.transaction():
                access.act(wait)

        with pytest.raises(AssertionError):
            await store.exclusively(change)
        assert await store.exclusively(count) == 0

    in_store(tmp_path, scene)
