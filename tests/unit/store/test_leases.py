"""Leases: who has a term, when a term ends, and that a write after it changes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from parlour.store import leases
from parlour.store.leases import LeaseLost, LocalLease, SharedLease, lease_factory
from parlour.store.transaction import Busy, ConflictScope, DryRun, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock
from parlour.vocabulary.origin import SILENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CURRENT_MS = limits.LEASE_MS * 2 // 3
ACCOUNT = "AC" + "0" * 32


class LeaseTable:
    """The row of one lease as several processes see it; doubles as their transaction."""

    def __init__(self) -> None:
        self.owner = ""
        self.fence = 0

    async def one(self, sql: str, *arguments: object) -> tuple[int] | None:
        """Answer the statements TAKE and CHECK."""
        if sql == leases.TAKE:
            _, owner, _ = arguments
            if self.owner not in {"", owner}:
                return None
            self.fence += self.owner != owner
            self.owner = str(owner)
            return (self.fence,)
        assert sql == leases.CHECK
        return (1,) if arguments[1:] == (self.owner, self.fence) else None

    async def run(self, sql: str, _name: str, owner: str) -> int:
        """Execute the statement RELEASE."""
        assert sql == leases.RELEASE
        if self.owner != owner:
            return 0
        self.owner = ""
        return 1


class TableStore:
    """A store of one process on that table; ``failure`` makes every write fail."""

    is_shared = True

    def __init__(self, table: LeaseTable) -> None:
        self.table = table
        self.failure: Exception | None = None
        self.options: list[dict[str, Any]] = []
        self.writes = 0

    async def start(self) -> None:
        """Do nothing."""

    close = start

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Do nothing."""

    async def read(self, work: Any) -> Any:
        """Run a read."""
        return await work(self.table)

    async def write(self, work: Any, origin: Any = SILENT, **options: Any) -> Any:
        """Run a change."""
        self.writes += 1
        self.options.append({"origin": origin, **options})
        if self.failure is not None:
            raise self.failure
        return await work(self.table)

    async def dry_run(self, work: Any, origin: Any = SILENT, **options: Any) -> DryRun[Any]:
        """Run a change without effects."""
        return DryRun(await self.write(work, origin, **options), ())


class Processes:
    """Two processes that share one clock and one table."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.table = LeaseTable()
        self.stores = TableStore(self.table), TableStore(self.table)
        self.one, self.two = (
            SharedLease(store, self.clock, "webhooks", name)  # type: ignore[arg-type]
            for store, name in zip(self.stores, ("one", "two"), strict=True)
        )


def play(scenario: Callable[[Processes], Awaitable[None]]) -> None:
    """Run a scenario, and stop both leases after it."""

    async def run() -> None:
        processes = Processes()
        try:
            await scenario(processes)
        finally:
            await processes.one.stop()
            await processes.two.stop()

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a condition has no event.
            await asyncio.sleep(0.001)


async def write_one(_tx: Any) -> int:
    """A change that returns 1."""
    return 1


@pytest.fixture
def _frequent_renewals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_RENEWAL_MS", 2)


def test_factory_makes_a_local_lease_for_a_store_of_one_process() -> None:
    store = TableStore(LeaseTable())
    store.is_shared = False

    async def scenario() -> None:
        lease = lease_factory(store, FakeClock(), "one")("webhooks")  # type: ignore[arg-type]
        assert isinstance(lease, LocalLease)
        await lease.start()
        term = lease.current_term()
        assert term.is_current()
        assert term.store is store
        await lease.stop()
        assert lease.current_term() is term
        assert store.writes == 0

    asyncio.run(scenario())


def test_factory_makes_a_shared_lease_for_a_shared_store() -> None:
    store = TableStore(LeaseTable())
    lease = lease_factory(store, FakeClock(), "one")  # type: ignore[arg-type]
    assert isinstance(lease("webhooks"), SharedLease)


def test_first_process_gets_the_term_and_the_second_gets_none() -> None:
    async def scenario(processes: Processes) -> None:
        assert processes.one.current_term() is None
        await processes.one.start()
        await processes.two.start()
        assert processes.one.current_term() is not None
        assert processes.two.current_term() is None

    play(scenario)


def test_second_process_gets_the_term_with_a_greater_fence_after_a_release() -> None:
    async def scenario(processes: Processes) -> None:
        await processes.one.start()
        first = processes.one.current_term()
        assert first is not None
        await processes.one.stop()
        assert not first.is_current()
        await processes.two.start()
        second = processes.two.current_term()
        assert second is not None
        assert second.fence > first.fence

    play(scenario)


@pytest.mark.usefixtures("_frequent_renewals")
def test_renewal_extends_the_same_term() -> None:
    async def scenario(processes: Processes) -> None:
        await processes.one.start()
        term = processes.one.current_term()
        assert term is not None
        processes.clock.advance(CURRENT_MS - 1)
        writes = processes.stores[0].writes
        await until(lambda: processes.stores[0].writes > writes + 1)
        processes.clock.advance(CURRENT_MS - 1)
        assert processes.one.current_term() is term

    play(scenario)


def test_term_without_a_renewal_is_not_current_after_two_thirds_of_the_lease() -> None:
    async def scenario(processes: Processes) -> None:
        await processes.one.start()
        term = processes.one.current_term()
        assert term is not None
        processes.clock.advance(CURRENT_MS - 1)
        assert term.is_current()
        processes.clock.advance(1)
        assert not term.is_current()
        assert processes.one.current_term() is None

    play(scenario)


@pytest.mark.usefixtures("_frequent_renewals")
def test_renewal_after_an_expired_term_starts_a_new_term_with_the_same_fence() -> None:
    async def scenario(processes: Processes) -> None:
        await processes.one.start()
        first = processes.one.current_term()
        assert first is not None
        processes.clock.advance(CURRENT_MS)
        await until(lambda: processes.one.current_term() is not None)
        second = processes.one.current_term()
        assert second is not None
        assert second is not first
        assert second.fence == first.fence
        assert not first.is_current()

    play(scenario)


@pytest.mark.usefixtures("_frequent_renewals")
def test_term_ends_when_a_renewal_finds_another_owner() -> None:
    async def scenario(processes: Processes) -> None:
        await processes.one.start()
        term = processes.one.current_term()
        assert term is not None
        processes.table.owner, processes.table.fence = "two", 2
        await until(lambda: not term.is_current())
        assert processes.one.current_term() is None

    play(scenario)


@pytest.mark.usefixtures("_frequent_renewals")
@pytest.mark.parametrize("failure", [Busy(), Unavailable("disk full")])
def test_term_outlives_failed_renewals_until_its_time_is_over(failure: Exception) -> None:
    async def scenario(processes: Processes) -> None:
        store = processes.stores[0]
        await processes.one.start()
        term = processes.one.current_term()
        store.failure = failure
        failed = store.writes
        await until(lambda: store.writes > failed + 1)
        assert processes.one.current_term() is term
        processes.clock.advance(CURRENT_MS)
        assert processes.one.current_term() is None

    play(scenario)


def test_write_in_a_current_term_returns_its_result_and_has_no_conflict_scope() -> None:
    async def scenario(processes: Processes) -> None:
        await processes.one.start()
        term = processes.one.current_term()
        assert term is not None
        scope = ConflictScope("CH1")
        assert await term.store.write(write_one, account_sid=ACCOUNT, conflict_scope=scope) == 1
        assert processes.stores[0].options[-1] == {"origin": SILENT, "account_sid": ACCOUNT}
        assert (await term.store.dry_run(write_one, account_sid=ACCOUNT)).result == 1
        assert term.store.is_shared

    play(scenario)


def test_write_with_an_old_fence_raises_lease_lost_and_ends_the_term() -> None:
    async def scenario(processes: Processes) -> None:
        await processes.one.start()
        term = processes.one.current_term()
        assert term is not None
        processes.table.owner, processes.table.fence = "two", 2
        executed = []

        async def work(_tx: Any) -> None:
            executed.append(1)

        assert term.is_current()
        with pytest.raises(LeaseLost):
            await term.store.write(work)
        assert not term.is_current()
        with pytest.raises(LeaseLost):
            await term.store.dry_run(work)
        assert not executed

    play(scenario)


@pytest.mark.parametrize("failure", [Busy(), Unavailable("no connection")])
def test_failed_release_leaves_the_lease_to_expire(failure: Exception) -> None:
    async def scenario(processes: Processes) -> None:
        await processes.one.start()
        processes.stores[0].failure = failure
        await processes.one.stop()
        assert processes.one.current_term() is None
        assert processes.table.owner == "one"
        processes.stores[0].failure = None

    play(scenario)


def test_stop_without_a_term_releases_nothing() -> None:
    async def scenario(processes: Processes) -> None:
        await processes.one.stop()
        assert processes.stores[0].writes == 0
        await processes.two.start()
        await processes.one.start()
        await processes.one.stop()
        assert processes.table.owner == "two"

    play(scenario)


@pytest.mark.usefixtures("_frequent_renewals")
def test_renewal_continues_after_an_unexpected_error_and_logs_it() -> None:
    async def scenario(processes: Processes) -> None:
        await processes.one.start()
        store = processes.stores[0]
        store.failure = RuntimeError("bug")
        with capture_logs() as logged:
            await until(lambda: bool(logged))
            store.failure = None
            writes = store.writes
            await until(lambda: store.writes > writes)
        assert {(each["event"], each["log_level"], each["lease"]) for each in logged} == {
            ("lease_renewal_failed", "error", "webhooks")
        }

    play(scenario)
