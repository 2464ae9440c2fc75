"""Groups of the embedded engine: what an action that fails leaves behind, and what others keep."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlour.store import event_log
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from parlour.store.transaction import Transaction

SCOPE = Scope("AC" + "0" * 32)
SAVE = "INSERT INTO sink_position (sink, sequence) VALUES ($1, $2)"
READ = "SELECT sink, sequence FROM sink_position ORDER BY sequence LIMIT 1000"


class PlannedError(Exception):
    """A planned failure."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "parlour.sqlite"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement of every store, in order."""
    seen: list[str] = []
    connect = SqliteStore._connect

    def traced(self: SqliteStore, synchronous: str) -> Any:
        connection = connect(self, synchronous)
        connection.exec_trace = lambda _cursor, text, _values: seen.append(text) or True
        return connection

    monkeypatch.setattr(SqliteStore, "_connect", traced)
    return iter([seen])


def write(name: str, number: int, *, fails: bool = False) -> Callable[[Transaction], Any]:
    """An action that writes a row and an event, and fails after that if it is to."""

    async def work(tx: Transaction) -> int:
        await tx.run(SAVE, name, number)
        await tx.emit(SCOPE, "made", subject_sid=name, payload=number)
        if fails:
            raise PlannedError(name)
        return number

    return work


async def refuse(_tx: Transaction) -> None:
    """An action that fails before it writes."""
    raise PlannedError("early")


def run_scenario(path: Path, scenario: Callable[[SqliteStore], Awaitable[None]]) -> None:
    """Run a scene on a new store."""

    async def run() -> None:
        store = SqliteStore(path, FakeClock(), SystemRandom(), synchronous="OFF")
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(run())


async def rows_of(store: SqliteStore) -> list[int]:
    """The numbers that were written, and that each of them has its event."""

    async def work(tx: Transaction) -> tuple[list[int], list[int]]:
        rows = await tx.all(READ)
        found = await event_log.read_after(tx, 0, 1000)
        return [row[1] for row in rows], [int(event.payload) for event in found]

    rows, emitted = await store.read(work)
    assert sorted(emitted) == rows
    return rows


def test_action_that_fails_after_a_write_leaves_nothing_and_others_commit(path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        results = await asyncio.gather(
            store.write(write("a", 1)),
            store.write(write("b", 2, fails=True)),
            store.write(write("c", 3)),
            return_exceptions=True,
        )
        assert results[0] == 1
        assert isinstance(results[1], PlannedError)
        assert results[2] == 3
        assert await rows_of(store) == [1, 3]

    run_scenario(path, scenario)


def test_group_without_failures_after_writes_has_no_savepoint(
    path: Path, statements: Iterator[list[str]]
) -> None:
    seen = next(statements)

    async def scenario(store: SqliteStore) -> None:
        await asyncio.gather(
            store.write(write("a", 1)), store.write(refuse), return_exceptions=True
        )
        assert await rows_of(store) == [1]

    run_scenario(path, scenario)

    assert not [text for text in seen if "SAVEPOINT" in text or "ROLLBACK" in text]


def test_groups_after_a_failed_one_use_savepoints(
    path: Path, statements: Iterator[list[str]]
) -> None:
    seen = next(statements)

    async def scenario(store: SqliteStore) -> None:
        with pytest.raises(PlannedError):
            await store.write(write("a", 0, fails=True))
        for number in range(limits.SAVEPOINT_GROUPS):
            with pytest.raises(PlannedError):
                await store.write(write("b", number, fails=True))
        assert await rows_of(store) == []

    run_scenario(path, scenario)

    # The first group, and the one after so many careful ones.
    assert seen.count("ROLLBACK") == 2


def test_dry_run_leaves_nothing_and_returns_its_events(path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        made, dry_run = await asyncio.gather(
            store.write(write("a", 1)), store.dry_run(write("b", 2))
        )
        assert made == 1
        assert dry_run.result == 2
        assert [each.payload for each in dry_run.events] == ["2"]
        assert await rows_of(store) == [1]

    run_scenario(path, scenario)


PLAN = st.lists(
    st.lists(st.sampled_from(["write", "refuse", "fail", "dry_run"]), min_size=1, max_size=8),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None)
@given(plan=PLAN)
def test_returned_results_are_the_committed_rows(
    tmp_path_factory: pytest.TempPathFactory, plan: list[list[str]]
) -> None:
    async def scenario(store: SqliteStore) -> None:
        wanted: list[int] = []
        number = 0
        for group in plan:
            asked: list[Awaitable[Any]] = []
            for kind in group:
                number += 1
                if kind == "dry_run":
                    asked.append(store.dry_run(write(f"{number}", number)))
                elif kind == "refuse":
                    asked.append(store.write(cast("Any", refuse)))
                else:
                    asked.append(store.write(write(f"{number}", number, fails=kind == "fail")))
            results = await asyncio.gather(*asked, return_exceptions=True)
            wanted += [each for each in results if isinstance(each, int)]
            for kind, result in zip(group, results, strict=True):
                assert isinstance(result, PlannedError) == (kind in {"refuse", "fail"})
        assert await rows_of(store) == wanted

    run_scenario(tmp_path_factory.mktemp("groups") / "parlour.sqlite", scenario)
