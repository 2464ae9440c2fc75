"""Transactions of the SQLite engine: statements, settings, event numbers and what they record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import apsw
import pytest

from parlour.store.dialect import SQLITE, in_dialect
from parlour.store.migrations import migrations
from parlour.store.settings_cache import SETTINGS_LOCK, SettingsCache
from parlour.store.sqlite.transaction import SqliteReadTransaction, SqliteWriteTransaction, drive
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.origin import SILENT, SYSTEM
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.embedded

SCOPE = Scope("AC" + "0" * 32)
SAVE = "INSERT INTO sink_position (sink, sequence) VALUES ($2, $1)"
ADD = "UPDATE sink_position SET sequence = sequence + $1"
POSITION = "SELECT sequence FROM sink_position WHERE sink = $1"
LIST = "SELECT sink, sequence FROM sink_position ORDER BY sink LIMIT 10"
EVENTS = "SELECT sequence, name, source, fires, date_ms, payload FROM event ORDER BY sequence"


class OpenDatabase:
    """A database with Parlour's tables in memory, and transactions on its one connection."""

    def __init__(self) -> None:
        self.connection = apsw.Connection(":memory:")
        for each in migrations():
            self.connection.execute(in_dialect(each.text, SQLITE))
        self.clock = FakeClock()
        self.settings_cache = SettingsCache()
        self.reads = SqliteReadTransaction(self.connection, self.clock, self.settings_cache)
        self.writes = self.begin_writes()

    def begin_writes(self) -> SqliteWriteTransaction:
        """Return the writer's transaction, as after a start of the process."""
        random = SystemRandom()
        return SqliteWriteTransaction(self.connection, self.clock, random, self.settings_cache)

    def save(self, *sinks: str) -> None:
        """Insert positions of sinks: 0, 1 and so on."""
        for sequence, sink in enumerate(sinks):
            assert drive(self.writes.run(SAVE, sequence, sink)) == 1

    def emit(self, name: str, *, is_dry_run: bool = False) -> None:
        """Run an action that emits one event."""
        self.writes.begin_action(SYSTEM, is_dry_run=is_dry_run)
        drive(self.writes.emit(SCOPE, name, subject_sid="CH1", payload={"a": 1}))
        self.writes.finish_action()


@pytest.fixture
def database() -> Iterator[OpenDatabase]:
    made = OpenDatabase()
    yield made
    made.connection.close()


def test_one_returns_the_first_row_or_none_and_all_returns_every_row(
    database: OpenDatabase,
) -> None:
    database.save("a", "b")

    for tx in (database.reads, database.writes):
        assert drive(tx.one(LIST)) == ("a", 0)
        assert drive(tx.one(POSITION, "b")) == (1,)
        assert drive(tx.one(POSITION, "c")) is None
        assert drive(tx.all(LIST)) == [("a", 0), ("b", 1)]


def test_locking_clauses_are_removed_as_the_one_writer_needs_none(database: OpenDatabase) -> None:
    database.save("a")

    assert drive(database.writes.one(POSITION + " FOR UPDATE", "a")) == (0,)
    assert drive(database.writes.all(POSITION + " FOR KEY SHARE", "a")) == [(0,)]


def test_run_returns_the_number_of_changed_rows(database: OpenDatabase) -> None:
    assert drive(database.writes.run(ADD, 5)) == 0
    database.save("a", "b")

    assert drive(database.writes.run(ADD, 5)) == 2
    assert drive(database.reads.all(LIST)) == [("a", 5), ("b", 6)]


def test_a_read_of_one_row_leaves_no_statement_open(database: OpenDatabase) -> None:
    database.save("a", "b")
    drive(database.reads.one(LIST))

    # SQLite rejects this while a statement reads the table.
    database.connection.execute("DROP TABLE sink_position")


def test_lock_of_settings_invalidates_the_cache_and_no_other_lock_does(
    database: OpenDatabase,
) -> None:
    database.save("a")
    assert drive(database.reads.one_cached(POSITION, "a")) == (0,)
    drive(database.writes.run(ADD, 5))

    drive(database.writes.lock_name("conversation", "CH1"))
    assert drive(database.reads.one_cached(POSITION, "a")) == (0,)

    drive(database.writes.lock_name(SETTINGS_LOCK, SCOPE.account_sid))
    assert drive(database.reads.one_cached(POSITION, "a")) == (5,)
    assert database.settings_cache.rows == {}


def test_every_event_after_a_position_is_visible(database: OpenDatabase) -> None:
    assert database.reads.overlap_ms == 0
    assert database.reads.visible_count(4, []) == 0
    assert database.reads.visible_count(4, [5, 7, 8]) == 3
    with pytest.raises(AssertionError):
        database.reads.visible_count(5, [5])


def test_events_are_visible_through_the_newest_number(database: OpenDatabase) -> None:
    assert drive(database.reads.visible_through()) == 0
    database.emit("first")
    database.emit("second")

    assert drive(database.reads.visible_through()) == 2


def test_a_read_transaction_has_the_current_time_and_writes_nothing(
    database: OpenDatabase,
) -> None:
    before = database.reads.now
    database.clock.advance(5)

    assert database.reads.now == before + 5 == database.clock.now_ms()
    with pytest.raises(AssertionError, match="a write in a read transaction"):
        drive(database.reads.run(ADD, 5))


def test_an_action_has_its_start_time_and_its_origin(database: OpenDatabase) -> None:
    started = database.clock.now_ms()
    database.writes.begin_action(SYSTEM, is_dry_run=False)
    database.clock.advance(5)
    assert (database.writes.now, database.writes.origin) == (started, SYSTEM)

    database.writes.begin_action(SILENT, is_dry_run=False)
    assert (database.writes.now, database.writes.origin) == (started + 5, SILENT)


def test_an_event_is_inserted_with_the_time_and_the_origin_of_its_action(
    database: OpenDatabase,
) -> None:
    database.emit("made")

    now = database.clock.now_ms()
    assert drive(database.reads.all(EVENTS)) == [(1, "made", "API", 1, now, '{"a":1}')]


def test_a_group_has_events_once_an_action_of_it_has_emitted_one(database: OpenDatabase) -> None:
    database.writes.begin_group()
    database.writes.begin_action(SYSTEM, is_dry_run=False)
    database.writes.finish_action()
    assert not database.writes.has_events

    database.emit("made")
    database.writes.begin_action(SYSTEM, is_dry_run=False)
    database.writes.finish_action()
    assert database.writes.has_events

    database.writes.begin_group()
    assert not database.writes.has_events


def test_a_dry_run_inserts_no_event_and_returns_it_with_its_result(database: OpenDatabase) -> None:
    database.emit("made", is_dry_run=True)

    assert not database.writes.has_events
    assert drive(database.reads.all(EVENTS)) == []
    found = database.writes.dry_run_result("result")
    assert (found.result, [each.name for each in found.events]) == ("result", ["made"])


def test_sequence_numbers_continue_above_the_last_event_after_the_clock_was_set_back(
    database: OpenDatabase,
) -> None:
    database.writes.begin_action(SYSTEM, is_dry_run=False)
    assert database.writes.next_sequence() == database.clock.now_ms() * 1000
    database.clock.advance(60_000)
    database.emit("made")
    of_event = database.clock.now_ms()

    database.clock = FakeClock()
    restarted = database.begin_writes()
    restarted.begin_action(SYSTEM, is_dry_run=False)
    assert restarted.next_sequence() > (of_event + 1) * 1000 > restarted.now * 1000


def test_an_action_that_awaits_something_else_is_closed_and_an_error() -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            ended.append("closed")

    with pytest.raises(AssertionError, match="other than its transaction"):
        drive(wait())
    assert ended == ["closed"]
