"""The SQLite engine: group commit, its failures, and reads while a commit is in flight."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from parlour.store import event_log
from parlour.store.migrations import migrations
from parlour.store.sqlite.engine import FATAL_EXIT_STATUS, SqliteStore
from parlour.store.sqlite.transaction import drive
from parlour.store.transaction import Busy, DatabaseError, Unavailable, in_transaction
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemRandom
from tests.store.faulty_sqlite import SAVE, FaultyStore, read_only, write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from parlour.store.migrations import Migration
    from parlour.store.transaction import Transaction, Work

pytestmark = pytest.mark.embedded


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[[Callable[[FaultyStore], Awaitable[None]]], None]]:
    """Run a scenario on a store, and close the store after it."""

    def run(scenario: Callable[[FaultyStore], Awaitable[None]]) -> None:
        async def played() -> None:
            bench = FaultyStore(tmp_path / "parlour.sqlite")
            try:
                await scenario(bench)
            finally:
                bench.may_commit.set()
                await bench.store.close()

        asyncio.run(played())

    return run  # type: ignore[return-value]


def test_opening_a_file_that_is_no_database_raises_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(b"not a database, but a text that is long enough to be read as one" * 100)
    with pytest.raises(DatabaseError, match=str(path)):
        SqliteStore(path, FakeClock(), SystemRandom())


def test_a_migration_that_another_process_applies_in_between_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "parlour.sqlite"

    def opened() -> SqliteStore:
        return SqliteStore(path, FakeClock(), SystemRandom())

    def listed_while_another_opens() -> list[Migration]:
        monkeypatch.setattr("parlour.store.sqlite.engine.migrations", migrations)
        asyncio.run(opened().close())
        return migrations()

    monkeypatch.setattr("parlour.store.sqlite.engine.migrations", listed_while_another_opens)
    asyncio.run(opened().close())
    with closing(apsw.Connection(str(path))) as connection:
        applied = [name for (name,) in connection.execute("SELECT name FROM migration")]
    assert sorted(applied) == [each.name for each in migrations()]


def test_store_that_is_opened_again_has_its_rows_and_applies_no_migration_twice(
    tmp_path: Path,
) -> None:
    async def opened(number: int) -> list[int]:
        bench = FaultyStore(tmp_path / "parlour.sqlite")
        await bench.store.start()
        await bench.store.write(write(number))
        try:
            return await bench.rows()
        finally:
            await bench.store.close()

    assert asyncio.run(opened(1)) == [1]
    assert asyncio.run(opened(2)) == [1, 2]


def test_actions_enqueued_in_one_iteration_of_the_loop_share_a_commit(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        assert await asyncio.gather(*(bench.store.write(write(each)) for each in (1, 2, 3))) == [
            1,
            2,
            3,
        ]
        assert bench.writer.begins() == 1
        assert bench.writer.statements.count("COMMIT") == 1

    play(scenario)


def test_result_is_returned_after_the_commit_and_not_before(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        bench.may_commit.clear()
        task = asyncio.create_task(bench.store.write(write(1)))
        await bench.committing()
        await asyncio.sleep(0.02)
        assert not task.done()
        bench.may_commit.set()
        assert await task == 1

    play(scenario)


def test_read_during_a_commit_sees_the_state_before_it(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        await bench.store.write(write(1))
        bench.may_commit.clear()
        task = asyncio.create_task(bench.store.write(write(2)))
        await bench.committing()
        assert await bench.rows() == [1]
        bench.may_commit.set()
        await task
        assert await bench.rows() == [1, 2]

    play(scenario)


def test_actions_enqueued_during_a_commit_make_the_next_group(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        bench.may_commit.clear()
        tasks = [asyncio.create_task(bench.store.write(write(1)))]
        await bench.committing()
        tasks += [asyncio.create_task(bench.store.write(write(each))) for each in (2, 3)]
        await asyncio.sleep(0)
        assert bench.writer.begins() == 1
        bench.may_commit.set()
        assert await asyncio.gather(*tasks) == [1, 2, 3]
        assert bench.writer.begins() == 2

    play(scenario)


def test_group_ends_at_its_time_limit_and_the_rest_is_the_next_group(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        async def slow(_tx: Transaction) -> None:
            bench.clock.advance(limits.GROUP_MS_MAX + 1)

        await asyncio.gather(bench.store.write(slow), bench.store.write(write(1)))
        assert bench.writer.begins() == 2

    play(scenario)


def test_group_ends_at_its_number_of_actions(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GROUP_ACTIONS_MAX", 2)

    async def scenario(bench: FaultyStore) -> None:
        await asyncio.gather(*(bench.store.write(write(each)) for each in (1, 2, 3)))
        assert bench.writer.begins() == 2

    play(scenario)


def test_full_queue_raises_busy(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "QUEUE_ACTIONS_MAX", 1)

    async def scenario(bench: FaultyStore) -> None:
        first = asyncio.create_task(bench.store.write(write(1)))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await bench.store.write(write(2))
        assert await first == 1

    play(scenario)


def test_listeners_are_called_after_a_commit_with_events_and_after_no_other(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        calls: list[int] = []
        bench.store.on_commit(lambda: calls.append(1))
        await bench.store.write(read_only)
        await bench.store.dry_run(write(1))
        assert calls == []
        await bench.store.write(write(2))
        assert calls == [1]

    play(scenario)


def test_cancelled_caller_loses_the_result_and_not_the_change(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        bench.may_commit.clear()
        cancelled = asyncio.create_task(bench.store.write(write(1)))
        other = asyncio.create_task(bench.store.write(write(2)))
        await bench.committing()
        cancelled.cancel()
        await asyncio.sleep(0)
        bench.may_commit.set()
        assert await other == 2
        assert await bench.rows() == [1, 2]

    play(scenario)


def test_begin_is_retried_while_another_process_holds_the_write_lock(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        bench.writer.failures["BEGIN IMMEDIATE"] = apsw.BusyError("locked")
        assert await bench.store.write(write(1)) == 1
        assert bench.writer.begins() == 2

    play(scenario)


def test_begin_that_fails_fails_every_queued_action_and_the_next_write_succeeds(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        bench.writer.failures["BEGIN IMMEDIATE"] = apsw.CantOpenError("no file")
        tasks = [asyncio.create_task(bench.store.write(write(each))) for each in (1, 2, 3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert [type(each) for each in results[1:]] == [Unavailable, Unavailable]
        assert await bench.rows() == []
        assert await bench.store.write(write(4)) == 4

    play(scenario)


def test_commit_that_fails_fails_its_group_and_leaves_nothing(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        calls: list[int] = []
        bench.store.on_commit(lambda: calls.append(1))
        bench.writer.failures["COMMIT"] = apsw.FullError("database or disk is full")
        results = await asyncio.gather(
            bench.store.write(write(1)), bench.store.write(write(2)), return_exceptions=True
        )
        assert [type(each) for each in results] == [Unavailable, Unavailable]
        assert await bench.rows() == []
        assert calls == []
        assert await bench.store.write(write(3)) == 3

    play(scenario)


def test_commit_that_sqlite_rolled_back_fails_its_group(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        async def work(tx: Transaction) -> None:
            await tx.run(SAVE, "lost", 1)
            bench.writer.rolls_back = True

        with pytest.raises(Unavailable, match="rolled back"):
            await bench.store.write(work)
        assert await bench.rows() == []

    play(scenario)


def test_commit_that_fails_after_sqlite_rolled_back_runs_no_rollback(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        execute = bench.writer.execute

        def fail(sql: str, *arguments: Any) -> Any:
            if sql == "COMMIT":
                execute("ROLLBACK")
                raise apsw.FullError("full")
            return execute(sql, *arguments)

        bench.writer.execute = fail  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            await bench.store.write(write(1))
        bench.writer.execute = execute  # type: ignore[method-assign]
        assert bench.writer.statements.count("ROLLBACK") == 1

    play(scenario)


def test_sync_that_fails_ends_the_process(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)

    async def scenario(bench: FaultyStore) -> None:
        bench.writer.failures["COMMIT"] = apsw.IOError("disk I/O error")
        await bench.store.write(write(1))
        assert statuses == [FATAL_EXIT_STATUS]

    play(scenario)


def test_action_that_fails_after_a_write_is_rolled_back_and_others_are_committed(
    play: Any,
) -> None:
    async def scenario(bench: FaultyStore) -> None:
        results = await asyncio.gather(
            bench.store.write(write(1)),
            bench.store.write(write(2, error=ValueError("late"))),
            bench.store.dry_run(write(3)),
            bench.store.write(write(4)),
            return_exceptions=True,
        )
        assert [results[0], type(results[1]), results[3]] == [1, ValueError, 4]
        assert await bench.rows() == [1, 4]
        events = await bench.store.read(lambda tx: event_log.read_after(tx, 0, 10))
        assert [event.payload for event in events] == ["1", "4"]
        assert bench.writer.statements.count("ROLLBACK") == 1
        assert bench.writer.statements.count("SAVEPOINT action") == 4

    play(scenario)


def test_actions_of_a_failed_group_are_executed_again_in_their_order(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        executed: list[int] = []

        def recorded(number: int) -> Work[int]:
            async def work(tx: Transaction) -> int:
                executed.append(number)
                error = ValueError("late") if number == 3 else None
                return await write(number, error=error)(tx)

            return work

        tasks = (bench.store.write(recorded(each)) for each in (1, 2, 3, 4))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert executed == [1, 2, 3, 1, 2, 3, 4]
        assert [type(each) for each in results] == [int, int, ValueError, int]

    play(scenario)


def test_groups_after_a_failed_one_use_savepoints_for_a_limited_number_of_groups(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SAVEPOINT_GROUPS", 3)

    async def scenario(bench: FaultyStore) -> None:
        with pytest.raises(ValueError, match="late"):
            await bench.store.write(write(0, error=ValueError("late")))
        for number in range(1, 6):
            await bench.store.write(write(number))
        # The second execution of the failed group is the first of the three.
        assert bench.writer.statements.count("SAVEPOINT action") == 3

    play(scenario)


def test_action_that_fails_before_a_write_needs_no_rollback(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        async def refuse(_tx: Transaction) -> None:
            raise ValueError("early")

        with pytest.raises(ValueError, match="early"):
            await bench.store.write(refuse)
        assert "ROLLBACK" not in bench.writer.statements

    play(scenario)


def test_full_disk_in_an_action_raises_unavailable(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        with pytest.raises(Unavailable):
            await bench.store.write(write(1, error=apsw.FullError("full")))
        assert await bench.rows() == []

    play(scenario)


def test_rollback_by_sqlite_within_an_action_loses_only_that_action(play: Any) -> None:
    async def scenario(bench: FaultyStore) -> None:
        async def full(tx: Transaction) -> None:
            await tx.run(SAVE, "lost", 9)
            bench.writer._connection.execute("ROLLBACK")
            raise apsw.FullError("full")

        for _ in range(2):  # Without savepoints, then with them.
            results = await asyncio.gather(
                bench.store.write(full), bench.store.write(read_only), return_exceptions=True
            )
            assert isinstance(results[0], Unavailable)
        assert await bench.rows() == []
        assert await bench.store.write(write(1)) == 1

    play(scenario)


def test_close_waits_for_the_commit_in_flight_and_for_queued_actions(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = FaultyStore(tmp_path / "parlour.sqlite")
        bench.may_commit.clear()
        tasks = [asyncio.create_task(bench.store.write(write(1)))]
        await bench.committing()
        tasks.append(asyncio.create_task(bench.store.write(write(2))))
        closing = asyncio.create_task(bench.store.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        bench.may_commit.set()
        assert await asyncio.gather(*tasks) == [1, 2]
        await closing

    asyncio.run(scenario())


def test_close_returns_when_the_last_begin_fails(tmp_path: Path) -> None:
    async def scenario() -> None:
        bench = FaultyStore(tmp_path / "parlour.sqlite")
        bench.writer.failures["BEGIN IMMEDIATE"] = apsw.CantOpenError("no file")
        task = asyncio.create_task(bench.store.write(write(1)))
        await asyncio.sleep(0)
        await bench.store.close()
        with pytest.raises(Unavailable):
            await task

    asyncio.run(scenario())


def test_drive_sets_in_transaction_while_the_action_runs_and_not_after() -> None:
    async def action() -> bool:
        return in_transaction.get()

    assert drive(action()) is True
    assert in_transaction.get() is False


def test_drive_fails_an_action_that_awaits_something_else() -> None:
    async def action() -> None:
        await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="other than its transaction"):
        drive(action())
    assert in_transaction.get() is False
