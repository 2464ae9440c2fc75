"""A term of delivery: its memory at the start, its end; tasks and waits with a timeout."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.delivery.states import SyncState
from parlour.delivery.term import (
    DeliveryTerm,
    PendingCounts,
    Tasks,
    count_pending,
    count_pending_of,
    wait_for,
)
from parlour.store import webhook_queue
from parlour.store.leases import LocalLeaseTerm
from tests.unit.delivery.database import Database, run_on_database
from tests.unit.delivery.lane_setup import delivery
from tests.unit.delivery.term_setup import FakeStore

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

SECONDS_MAX = 10


def play(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, SECONDS_MAX))


def test_a_term_starts_synced_with_the_counts_and_without_deliveries() -> None:
    async def scenario() -> None:
        store: Any = FakeStore()
        counts = PendingCounts({"AC1": 2}, 7)
        lease_term = LocalLeaseTerm(store)
        term = DeliveryTerm(lease_term, store, counts)
        assert (term.lease_term, term.reads) == (lease_term, store)
        assert term.sync is SyncState.SYNCED
        assert (len(term.results), list(term.lanes.endpoints)) == (0, [])
        term.pending["AC2"] += 1
        assert term.pending == {"AC1": 2, "AC2": 1}
        assert counts.pending == {"AC1": 2}
        assert (term.counted_through, term.recounts) == (7, set())
        assert not term.is_stopping
        assert not term.send_wanted.is_set()
        assert not term.poll_wanted.is_set()

    play(scenario())


def test_the_counts_are_read_with_the_newest_event(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        assert await database.read(count_pending) == PendingCounts({}, 0)
        event = await database.emit("roleChanged", {})
        await database.write(webhook_queue.add, delivery(1, 1))
        assert await database.read(count_pending) == PendingCounts({"AC1": 1}, event.sequence)

    run_on_database(tmp_path, scenario)


def test_a_replay_is_added_to_the_counts_unless_these_may_contain_it() -> None:
    async def scenario() -> None:
        store: Any = FakeStore()
        term = DeliveryTerm(LocalLeaseTerm(store), store, PendingCounts({"AC1": 2}, 7))
        term.count_replay("AC1", 8, 3)
        assert (term.pending, term.recounts) == ({"AC1": 5}, set())
        term.count_replay("AC1", 7, 3)
        assert (term.pending, term.recounts) == ({"AC1": 5}, {"AC1"})
        term.set_counts(PendingCounts({"AC2": 1}, 9))
        assert (term.pending, term.counted_through, term.recounts) == ({"AC2": 1}, 9, set())

    play(scenario())


def test_an_account_is_counted_again_through_a_later_event(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        term = DeliveryTerm(
            LocalLeaseTerm(database.store), database.store, PendingCounts({"AC1": 2, "AC2": 4}, 0)
        )
        term.recounts |= {"AC1", "AC2"}
        event = await database.emit("roleChanged", {})
        await database.write(webhook_queue.add, delivery(1, 1))
        counts = await database.read(count_pending_of, "AC1")
        assert counts == PendingCounts({"AC1": 1}, event.sequence)
        term.set_count("AC1", counts)
        assert (term.pending, term.recounts) == ({"AC1": 1, "AC2": 4}, {"AC2"})
        # The new count contains replays up to its event; the other account's does not.
        for account_sid in ("AC1", "AC2"):
            term.count_replay(account_sid, event.sequence, 5)
        assert (term.pending, term.recounts) == ({"AC1": 1, "AC2": 9}, {"AC1", "AC2"})

    run_on_database(tmp_path, scenario)


def test_a_stop_wakes_the_sender_and_the_poller() -> None:
    async def scenario() -> None:
        store: Any = FakeStore()
        term = DeliveryTerm(LocalLeaseTerm(store), store, PendingCounts({}, 0))
        term.enter(SyncState.RESYNC)
        assert term.sync is SyncState.RESYNC
        term.stop()
        assert term.is_stopping
        assert term.send_wanted.is_set()
        assert term.poll_wanted.is_set()

    play(scenario())


class Work:
    """A task that ends when a test allows it."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.end = ""

    async def run(self) -> None:
        try:
            await self.may_end.wait()
            self.end = "done"
        except asyncio.CancelledError:
            self.end = "cancelled"
            raise


async def started(count: int) -> tuple[Tasks, list[Work]]:
    tasks, works = Tasks(), [Work() for _ in range(count)]
    for work in works:
        tasks.start(work.run())
    await asyncio.sleep(0)
    return tasks, works


def test_tasks_are_counted_until_they_end() -> None:
    async def scenario() -> None:
        tasks, works = await started(2)
        assert len(tasks) == 2
        works[0].may_end.set()
        while len(tasks) == 2:  # noqa: ASYNC110 - the end of a task has no event.
            await asyncio.sleep(0)
        assert [work.end for work in works] == ["done", ""]
        await tasks.cancel()
        assert len(tasks) == 0

    play(scenario())


def test_a_drain_waits_for_the_tasks() -> None:
    async def scenario() -> None:
        tasks, works = await started(2)
        draining = asyncio.create_task(tasks.drain(SECONDS_MAX))
        await asyncio.sleep(0.01)
        assert not draining.done()
        for work in works:
            work.may_end.set()
        await draining
        assert [work.end for work in works] == ["done", "done"]

    play(scenario())


def test_after_its_timeout_a_drain_cancels_the_tasks() -> None:
    async def scenario() -> None:
        tasks, works = await started(2)
        works[0].may_end.set()
        await tasks.drain(0.01)
        assert [work.end for work in works] == ["done", "cancelled"]
        assert len(tasks) == 0

    play(scenario())


def test_a_drain_without_tasks_ends_at_once() -> None:
    play(Tasks().drain(SECONDS_MAX * 2))


def test_a_cancelled_task_that_fails_does_not_fail_the_others() -> None:
    async def failing() -> None:
        try:
            await asyncio.sleep(SECONDS_MAX * 2)
        finally:
            raise RuntimeError

    async def scenario() -> None:
        tasks, (work,) = await started(1)
        tasks.start(failing())
        await asyncio.sleep(0)
        await tasks.cancel()
        assert work.end == "cancelled"
        assert len(tasks) == 0

    play(scenario())


def test_a_wait_ends_with_the_event_or_after_its_timeout() -> None:
    async def scenario() -> None:
        event = asyncio.Event()
        await wait_for(event, 1)
        for timeout_ms in (SECONDS_MAX * 2000, None):
            waiting = asyncio.create_task(wait_for(event, timeout_ms))
            await asyncio.sleep(0.01)
            assert not waiting.done()
            event.set()
            await waiting
            event.clear()

    play(scenario())


def test_only_the_tasks_of_chosen_accounts_are_cancelled_after_their_timeout() -> None:
    async def scenario() -> None:
        tasks = Tasks()
        works = [Work() for _ in range(3)]
        for work, account_sid in zip(works, ("AC1", "AC1", "AC2"), strict=True):
            tasks.start(work.run(), account_sid)
        await asyncio.sleep(0)
        works[0].may_end.set()
        await tasks.cancel_of(lambda account_sid: account_sid == "AC1", 0.01)
        assert [work.end for work in works] == ["done", "cancelled", ""]
        await tasks.cancel()
        assert works[2].end == "cancelled"

    play(scenario())
