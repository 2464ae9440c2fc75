"""Numbers are given before commits: a reader of the log passes no event that may still come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from parlour.store import event_log
from parlour.store.postgres.engine import BEGIN_WRITING, PostgresStore
from parlour.store.postgres.event_gaps import visible_count
from parlour.store.write_transaction import APPEND_EVENT
from parlour.vocabulary.clock import SystemClock, SystemRandom
from parlour.vocabulary.origin import Origin
from parlour.vocabulary.scope import Scope
from tests.support.postgres_server import Postgres, shared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.store.transaction import Transaction

SCOPE = Scope("AC" + "0" * 32, "IS" + "0" * 32)
SOON_SECONDS = 5.0


@pytest.mark.parametrize(
    ("visible_through", "after", "numbers", "passed"),
    [
        (0, 0, [], 0),
        (0, 0, [1, 2, 3], 3),
        (0, 0, [2, 3], 0),
        (0, 0, [1, 3, 4], 1),
        (1, 0, [2, 3], 2),
        (1, 0, [2, 4], 1),
        (9, 0, [2, 4, 9, 10, 12], 4),
        (9, 4, [10], 1),
        (9, 4, [11], 0),
    ],
)
def test_visible_count_stops_at_a_gap_above_the_mark(
    visible_through: int, after: int, numbers: list[int], passed: int
) -> None:
    assert visible_count(visible_through, after, numbers) == passed


class UndoneError(Exception):
    """An action that fails after it has emitted an event."""


class ConcurrentTransaction:
    """A transaction of another session, ended by the test."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    async def begin(cls, url: str, **session: str) -> ConcurrentTransaction:
        """Begin, and write one event."""
        settings = {"parlour.account": "*"} | session
        connection = await asyncpg.connect(url, server_settings=settings)
        await connection.execute(BEGIN_WRITING)
        values = (*_columns("theirs"), "API", None, 0, 1, "{}")
        await connection.execute(APPEND_EVENT, *values)
        return cls(connection)

    async def end(self, how: str) -> None:
        """COMMIT or ROLLBACK."""
        await self._connection.execute(how)
        await self._connection.close()


def _columns(name: str) -> tuple[str, str, str, str, str]:
    return SCOPE.account_sid, SCOPE.service_sid, "", "subject", name


async def emit(store: PostgresStore) -> None:
    """One committed event."""

    async def work(tx: Transaction) -> None:
        await tx.emit(SCOPE, "ours", subject_sid="subject", payload={}, origin=Origin())

    await store.write(work)


async def names_after(store: PostgresStore, number: int) -> list[str]:
    """The names of the events that may be passed."""
    found = await store.read(lambda tx: event_log.read_after(tx, number, 100))
    return [event.name for event in found]


async def soon(look: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Wait until it is so."""
    seen: object = None
    for _ in range(int(SOON_SECONDS / 0.01)):
        seen = await look()
        if seen == wanted:
            return
        await asyncio.sleep(0.01)
    assert seen == wanted


def on_a_store(scenario: Callable[[PostgresStore, str], Awaitable[None]]) -> None:
    """Play it on a new database."""
    url = shared().make_database()

    async def run_scenario() -> None:
        store = PostgresStore(url, SystemClock(), SystemRandom(), connections=4)
        await store.start()
        try:
            await scenario(store, url)
        finally:
            await store.close()

    asyncio.run(run_scenario())


@pytest.mark.parametrize(
    ("how", "names"), [("COMMIT", ["ours", "theirs", "ours"]), ("ROLLBACK", ["ours", "ours"])]
)
def test_reader_stops_before_a_number_of_a_running_transaction(how: str, names: list[str]) -> None:
    async def scenario(store: PostgresStore, url: str) -> None:
        await emit(store)
        other = await ConcurrentTransaction.begin(url)
        await emit(store)
        for _ in range(10):
            assert await names_after(store, 0) == ["ours"]
            assert await store.read(event_log.visible_through) == 1
            await asyncio.sleep(0.02)
        await other.end(how)
        await soon(lambda: names_after(store, 0), names)
        await soon(lambda: store.read(event_log.visible_through), 3)

    on_a_store(scenario)


def test_mark_raised_after_a_snapshot_does_not_apply_to_it() -> None:
    async def scenario(store: PostgresStore, url: str) -> None:
        other = await ConcurrentTransaction.begin(url)
        await emit(store)
        seen: list[list[str]] = []

        async def old(tx: Transaction) -> None:
            await tx.one("SELECT 1 FROM migration")  # The snapshot begins here.
            await other.end("COMMIT")
            await store._event_gaps.refresh()  # The mark is newer than the snapshot.
            found = await event_log.read_after(tx, 0, 100)
            seen.append([event.name for event in found])

        await store.read(old)
        assert seen == [[]]
        assert await names_after(store, 0) == ["theirs", "ours"]

    on_a_store(scenario)


def test_single_statement_read_has_no_transaction_and_rejects_a_second_statement() -> None:
    async def scenario(store: PostgresStore, _url: str) -> None:
        await emit(store)

        async def isolation(tx: Transaction) -> str:
            row = await tx.one("SELECT current_setting('transaction_isolation')")
            assert row is not None
            return str(row[0])

        async def twice(tx: Transaction) -> None:
            await tx.all("SELECT sequence FROM event")
            await tx.one("SELECT sequence FROM event")

        assert await store.read(isolation) == "repeatable read"
        assert await store.read(isolation, single_statement=True) == "read committed"
        found = await store.read(lambda tx: event_log.read_after(tx, 0, 100), single_statement=True)
        assert [event.name for event in found] == ["ours"]
        with pytest.raises(AssertionError, match="another snapshot"):
            await store.read(twice, single_statement=True)
        assert await names_after(store, 0) == ["ours"]

    on_a_store(scenario)


def test_listeners_are_called_after_a_requested_refresh() -> None:
    async def scenario(store: PostgresStore, url: str) -> None:
        other = await ConcurrentTransaction.begin(url)
        await emit(store)
        committed = asyncio.Event()
        store.on_commit(committed.set)
        assert await names_after(store, 0) == []
        await other.end("ROLLBACK")
        async with asyncio.timeout(SOON_SECONDS):
            await committed.wait()
        assert await names_after(store, 0) == ["ours"]

    on_a_store(scenario)


def test_reader_next_to_many_writers_misses_no_event() -> None:
    async def scenario(store: PostgresStore, _url: str) -> None:
        count, position = 400, 0
        seen: list[int] = []

        async def fails(tx: Transaction) -> None:
            await tx.emit(SCOPE, "undone", subject_sid="subject", payload={})
            await asyncio.sleep(0.001)
            raise UndoneError

        async def write(number: int) -> None:
            if number % 5 == 0:
                with pytest.raises(UndoneError):
                    await store.write(fails)
            await emit(store)

        writing = asyncio.gather(*(write(number) for number in range(count)))
        async with asyncio.timeout(60):
            while len(seen) < count:
                start = position
                found = await store.read(
                    lambda tx, start=start: event_log.read_after(tx, start, 100)
                )
                seen += [event.sequence for event in found]
                position = seen[-1] if seen else 0
                await asyncio.sleep(0)
        await writing
        assert seen == sorted(set(seen))
        assert len(seen) == count

    on_a_store(scenario)


def test_mark_is_below_numbers_that_a_crash_assigns_again() -> None:
    # Nothing but a commit brings the number that was given last to the disk.
    with Postgres(synchronous_commit="on", wal_writer_delay="10s") as postgres:
        url = postgres.make_database()

        async def scenario() -> None:
            store = PostgresStore(url, SystemClock(), SystemRandom(), connections=4)
            await store.start()
            await emit(store)
            while postgres.sql("SELECT log_cnt FROM event_sequence_seq", url).strip() != "0":
                await emit(store)
            last = await store.read(event_log.visible_through)
            undone = await ConcurrentTransaction.begin(url)
            await undone.end("ROLLBACK")
            await store._event_gaps.refresh()
            postgres.kill()
            postgres.start()
            other = await ConcurrentTransaction.begin(url)
            await emit(store)
            for _ in range(5):
                assert await names_after(store, last) == []
                await asyncio.sleep(0.02)
            assert postgres.sql("SELECT last_value FROM event_sequence_seq", url) == f"{last + 2}\n"
            await other.end("COMMIT")
            await soon(lambda: names_after(store, last), ["theirs", "ours"])
            await store.close()

        asyncio.run(scenario())
