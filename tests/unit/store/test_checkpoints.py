"""Checkpoints: when one is requested, its mode, and the delay until the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apsw
import pytest
from structlog.testing import capture_logs

from parlour.store.sqlite import checkpoints as sqlite_checkpoints
from parlour.store.sqlite.checkpoints import Checkpoints
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Step = tuple[int, int] | Exception

pytestmark = pytest.mark.embedded

PASSIVE = apsw.SQLITE_CHECKPOINT_PASSIVE
RESTART = apsw.SQLITE_CHECKPOINT_RESTART
TRUNCATE = apsw.SQLITE_CHECKPOINT_TRUNCATE
OPTIMIZE = sqlite_checkpoints._OPTIMIZE

CHECKPOINT_PAGES = 4
RESTART_PAGES = 16
TRUNCATED_BYTES = 1000
WARNED_BYTES = 4000
BACKOFF_MS_MAX = 100


class ConnectionDouble:
    """A connection whose passive checkpoints have given results: pages, and how many are copied."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.modes: list[int] = []
        self.statements: list[str] = []
        self.refuses_optimize = False
        self.is_closed = False

    def wal_checkpoint(self, *, mode: int) -> tuple[int, int]:
        self.modes.append(mode)
        if mode != PASSIVE:
            return (0, 0)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def execute(self, sql: str) -> None:
        self.statements.append(sql)
        if self.refuses_optimize and sql == OPTIMIZE:
            raise apsw.BusyError("database is locked")

    def close(self) -> None:
        self.is_closed = True


class EventDouble:
    """An event that never waits: it records the timeouts, and calls ``on_wait`` instead."""

    def __init__(self) -> None:
        self.is_requested = False
        self.timeouts: list[float | None] = []
        self.on_wait: Callable[[], None] = lambda: None

    def set(self) -> None:
        self.is_requested = True

    def clear(self) -> None:
        self.is_requested = False

    def wait(self, timeout: float | None) -> None:
        self.timeouts.append(timeout)
        self.on_wait()


class ThreadDouble:
    """A thread that runs only in ``Bench.run``."""

    def __init__(self, **_options: Any) -> None:
        """Take the thread's options."""

    def start(self) -> None:
        """Start nothing."""


class Bench:
    """Checkpoints on a connection double, run step by step without a thread."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "p.sqlite"
        self.clock = FakeClock()
        self.connection = ConnectionDouble()
        self.open()

    def open(self) -> None:
        """Create the checkpoints, as at the start of a process."""
        made: Any = self.connection
        self.checkpoints = Checkpoints(lambda: made, self.database, self.clock)
        self.event: Any = self.checkpoints._requested

    def resize(self, size: int) -> None:
        """Set the size of the WAL file."""
        self.database.with_name("p.sqlite-wal").write_bytes(bytes(size))

    def requests(self, pages: int) -> bool:
        """Return whether a commit after which the WAL has these pages requests a checkpoint."""
        made: Any = self.connection
        assert self.checkpoints.committed(made, "main", pages) == apsw.SQLITE_OK
        requested: bool = self.event.is_requested
        self.event.clear()
        return requested

    def run(self, *steps: Step) -> list[float | None]:
        """Run one step for each result; return the seconds until the next after each."""
        self.connection.steps = list(steps)
        self.event.timeouts = []

        def end() -> None:
            self.checkpoints._is_closing = not self.connection.steps

        self.event.on_wait = end
        self.checkpoints._run()
        found: list[float | None] = self.event.timeouts[1:]
        return found


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WAL_PAGES_CHECKPOINT", CHECKPOINT_PAGES)
    monkeypatch.setattr(limits, "WAL_PAGES_MAX", RESTART_PAGES)
    monkeypatch.setattr(limits, "WAL_BYTES_MAX", TRUNCATED_BYTES)
    monkeypatch.setattr(limits, "WAL_WARNED_BYTES", WARNED_BYTES)
    monkeypatch.setattr(limits, "WAL_RETRY_MS", BACKOFF_MS_MAX)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    monkeypatch.setattr(sqlite_checkpoints, "Event", EventDouble)
    monkeypatch.setattr(sqlite_checkpoints, "Thread", ThreadDouble)
    return Bench(tmp_path)


def test_a_commit_requests_a_checkpoint_after_enough_new_pages(bench: Bench) -> None:
    assert not bench.requests(CHECKPOINT_PAGES - 1)
    assert bench.requests(CHECKPOINT_PAGES)


def test_copied_pages_are_not_new_until_the_wal_is_restarted(bench: Bench) -> None:
    assert bench.run((8, 8)) == [None]

    assert not bench.requests(8 + CHECKPOINT_PAGES - 1)
    assert bench.requests(8 + CHECKPOINT_PAGES)
    assert not bench.requests(CHECKPOINT_PAGES - 1)
    assert bench.requests(CHECKPOINT_PAGES)


def test_a_blocked_checkpoint_is_retried_with_exponential_backoff(bench: Bench) -> None:
    assert bench.run((8, 5), (8, 5), (8, 5)) == [0.05, 0.1, 0.1]
    assert not bench.requests(100)

    assert bench.run((100, 100), (108, 105)) == [None, 0.05]
    assert set(bench.connection.modes) == {PASSIVE, RESTART}


def test_commits_request_checkpoints_again_after_one_that_was_not_blocked(bench: Bench) -> None:
    bench.run((8, 5))
    assert not bench.requests(12)
    bench.run((12, 12))

    assert bench.requests(12 + CHECKPOINT_PAGES)


def test_a_long_wal_is_restarted_once_it_is_copied(bench: Bench) -> None:
    bench.run((RESTART_PAGES - 1, RESTART_PAGES - 1))
    assert bench.connection.modes == [PASSIVE]
    bench.run((RESTART_PAGES, RESTART_PAGES - 1))
    assert bench.connection.modes == [PASSIVE, PASSIVE]

    assert bench.run((RESTART_PAGES, RESTART_PAGES)) == [None]
    assert bench.connection.modes == [PASSIVE, PASSIVE, PASSIVE, RESTART]
    assert bench.requests(CHECKPOINT_PAGES)  # Counted from the beginning of the WAL.


def test_many_new_pages_are_copied_before_a_restart(bench: Bench) -> None:
    bench.requests(20)

    assert bench.run((16, 16), (20, 20)) == [0, None]
    assert bench.connection.modes == [PASSIVE, PASSIVE, RESTART]


def test_a_long_file_is_truncated(bench: Bench) -> None:
    bench.resize(TRUNCATED_BYTES)
    bench.run((1, 1))
    assert bench.connection.modes == [PASSIVE]

    bench.resize(TRUNCATED_BYTES + 1)
    with capture_logs() as logged:
        assert bench.run((1, 1)) == [None]
    assert bench.connection.modes == [PASSIVE, PASSIVE, TRUNCATE]
    size = TRUNCATED_BYTES + 1
    assert logged == [{"event": "wal_truncated", "log_level": "info", "size_bytes": size}]


def test_readers_that_block_a_long_wal_are_logged_whenever_its_size_has_doubled(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_checkpoints, "readers_of", lambda index: [index.name])
    sizes = (WARNED_BYTES - 1, WARNED_BYTES, 2 * WARNED_BYTES - 1, 2 * WARNED_BYTES)

    def warned() -> list[int]:
        found = []
        for size in sizes:
            bench.resize(size)
            with capture_logs() as logged:
                bench.run((8, 5))
            for each in logged:
                assert each["event"] == "wal_truncation_blocked"
                assert each["readers"] == ["p.sqlite-shm"]
                found.append(each["size_bytes"])
        return found

    assert warned() == [WARNED_BYTES, 2 * WARNED_BYTES]
    assert warned() == []
    bench.run((8, 8))
    assert bench.connection.modes[-1] == TRUNCATE
    assert warned() == [WARNED_BYTES, 2 * WARNED_BYTES]


def test_a_busy_database_delays_the_checkpoint_and_any_other_error_is_logged_too(
    bench: Bench,
) -> None:
    with capture_logs() as logged:
        assert bench.run(apsw.BusyError("busy")) == [0.05]
    assert logged == []
    bench.requests(3)

    with capture_logs() as logged:
        assert bench.run(apsw.IOError("disk"), (3, 3)) == [0.1, None]
    assert [(each["event"], each["pages"]) for each in logged] == [("checkpoint_failed", 3)]


def test_statistics_are_updated_after_the_first_checkpoint_and_then_once_an_hour(
    bench: Bench,
) -> None:
    def updates(*steps: Step) -> int:
        before = bench.connection.statements.count(OPTIMIZE)
        bench.run(*steps)
        return bench.connection.statements.count(OPTIMIZE) - before

    assert bench.connection.statements == [f"PRAGMA analysis_limit = {limits.STATISTICS_ROWS}"]
    assert updates((1, 1), (2, 2)) == 1
    bench.clock.advance(limits.STATISTICS_MS - 1)
    assert updates((3, 3)) == 0
    bench.clock.advance(1)
    assert updates((4, 4), (5, 5)) == 1


def test_statistics_are_retried_after_the_next_checkpoint_while_another_process_writes(
    bench: Bench,
) -> None:
    bench.connection.refuses_optimize = True
    assert bench.run((1, 1), (2, 2)) == [None, None]
    bench.connection.refuses_optimize = False
    assert bench.run((3, 3), (4, 4)) == [None, None]

    assert bench.connection.statements.count(OPTIMIZE) == 3


def test_a_long_wal_of_a_killed_process_requests_a_checkpoint_at_startup(bench: Bench) -> None:
    assert not bench.event.is_requested  # Without a WAL file.
    for size, is_requested in ((TRUNCATED_BYTES, False), (TRUNCATED_BYTES + 1, True)):
        bench.resize(size)
        bench.open()
        assert bench.event.is_requested is is_requested


def test_close_ends_the_thread_and_closes_the_connection(tmp_path: Path) -> None:
    connection: Any = ConnectionDouble()
    checkpoints = Checkpoints(lambda: connection, tmp_path / "p.sqlite", FakeClock())
    assert checkpoints._thread.is_alive()

    checkpoints.close()

    assert not checkpoints._thread.is_alive()
    assert connection.is_closed
    assert connection.modes == []
