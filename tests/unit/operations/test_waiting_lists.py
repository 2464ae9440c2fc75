"""The wait of lists: woken by events of their account and name, and ended in each other way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.operations.waiting_lists import (
    REQUEST_RECORDED,
    WEBHOOK_ATTEMPTED,
    ListWait,
    ListWaitAbandoned,
    WaitingLists,
)
from parlour.store.transaction import Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

EVENTS = frozenset({"somethingChanged"})
LONG_SECONDS = 30.0


class AppendedLogStore:
    """A store whose log the test appends to."""

    def __init__(self, *, is_shared: bool = False) -> None:
        self.is_shared = is_shared
        self.log: list[tuple[int, str, str]] = []
        self.reads = 0
        self.error: Exception | None = None

    async def read(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """Run a read of the log."""
        self.reads += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return await work(self)

    async def visible_through(self) -> int:
        """Return the number of the last event."""
        return len(self.log)

    async def all(self, sql: str, sequence: int, count: int) -> list[tuple[int, str, str]]:
        """Return the events after a number."""
        assert "FROM event" in sql
        return self.log[sequence : sequence + count]

    def visible_count(self, after: int, numbers: list[int]) -> int:
        """Return that all events are visible."""
        assert after < min(numbers, default=after + 1)
        return len(numbers)

    def append(self, account_sid: str = "AC1", name: str = "somethingChanged") -> None:
        """Append an event."""
        self.log.append((len(self.log) + 1, account_sid, name))


def play(
    scenario: Callable[[AppendedLogStore, WaitingLists], Awaitable[None]], **store: bool
) -> None:
    """Run a scenario on an empty log, within a timeout."""

    async def run() -> None:
        log = AppendedLogStore(**store)
        lists = WaitingLists(log, SystemClock())  # type: ignore[arg-type]
        async with asyncio.timeout(LONG_SECONDS / 2):
            await scenario(log, lists)

    asyncio.run(run())


async def enter(lists: WaitingLists, account_sid: str = "AC1") -> ListWait:
    """Return a list that waits for a long time."""
    wait = await lists.enter(account_sid, None, EVENTS)
    wait.start(LONG_SECONDS)
    return wait


async def turns(count: int = 20) -> None:
    """Let other tasks run."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_an_event_of_the_account_and_name_wakes_a_list() -> None:
    async def scenario(log: AppendedLogStore, lists: WaitingLists) -> None:
        log.append()
        wait = await enter(lists)
        waiting = asyncio.create_task(wait.wait(0))
        await turns()
        for other in ({"account_sid": "AC2"}, {"name": "otherChanged"}):
            log.append(**other)
            lists.wake()
            await turns()
            assert not waiting.done()
        log.append()
        lists.wake()
        await waiting
        assert not wait.is_over
        lists.leave(wait)

    play(scenario)


def test_an_event_between_the_read_and_the_wait_is_not_missed() -> None:
    async def scenario(log: AppendedLogStore, lists: WaitingLists) -> None:
        wait = await enter(lists)
        log.append()
        lists.wake()
        await turns()
        await wait.wait(lists.interval_seconds)
        assert not wait.is_over
        lists.leave(wait)

    play(scenario)


def test_an_event_of_a_full_batch_is_followed_by_the_next_batch() -> None:
    async def scenario(log: AppendedLogStore, lists: WaitingLists) -> None:
        wait = await enter(lists)
        for _ in range(limits.EVENTS_PER_BATCH_MAX):
            log.append(name="otherChanged")
        log.append()
        lists.wake()
        await wait.wait(0)
        lists.leave(wait)

    play(scenario)


def test_a_shared_store_is_polled_without_hints() -> None:
    async def scenario(log: AppendedLogStore, lists: WaitingLists) -> None:
        wait = await enter(lists)
        await turns()
        log.append()
        await wait.wait(0)
        assert not wait.is_over
        lists.leave(wait)

    play(scenario, is_shared=True)


def test_a_store_of_one_process_is_not_read_without_hints() -> None:
    async def scenario(log: AppendedLogStore, lists: WaitingLists) -> None:
        wait = await enter(lists)
        await turns()
        before = log.reads
        await asyncio.sleep(2 * limits.DISPATCH_POLL_MS / 1000)
        assert log.reads == before
        lists.leave(wait)

    play(scenario)


def test_without_waiting_lists_the_log_is_not_read() -> None:
    async def scenario(log: AppendedLogStore, lists: WaitingLists) -> None:
        lists.leave(await enter(lists))
        await turns()
        before = log.reads
        log.append()
        lists.wake()
        await turns()
        assert log.reads == before
        # The next list starts the task again.
        wait = await enter(lists)
        log.append()
        lists.wake()
        await wait.wait(0)
        lists.leave(wait)

    play(scenario)


def test_the_end_of_the_time_ends_a_wait() -> None:
    async def scenario(_log: AppendedLogStore, lists: WaitingLists) -> None:
        wait = await lists.enter("AC1", None, EVENTS)
        wait.start(0.01)
        await wait.wait(lists.interval_seconds)
        assert wait.is_over
        lists.leave(wait)

    play(scenario)


def test_a_disconnected_client_ends_its_wait() -> None:
    async def scenario(_log: AppendedLogStore, lists: WaitingLists) -> None:
        wait = await enter(lists)
        waiting = asyncio.create_task(wait.wait(lists.interval_seconds))
        await turns()
        wait.abandon()
        with pytest.raises(ListWaitAbandoned):
            await waiting
        lists.leave(wait)
        assert lists.count == 0

    play(scenario)


def test_the_shutdown_ends_all_waits_and_later_ones_at_once() -> None:
    async def scenario(_log: AppendedLogStore, lists: WaitingLists) -> None:
        waits = [await enter(lists) for _ in range(3)]
        waiting = [asyncio.create_task(each.wait(lists.interval_seconds)) for each in waits]
        await turns()
        lists.stop()
        await asyncio.gather(*waiting)
        assert (await enter(lists)).is_over

    play(scenario)


def test_reads_of_many_lists_are_spread() -> None:
    async def scenario(log: AppendedLogStore, lists: WaitingLists) -> None:
        accounts = [f"AC{number}" for number in range(100)]
        waits = [await enter(lists, each) for each in accounts]
        assert lists.interval_seconds == len(waits) / limits.LIST_REREADS_PER_SECOND_MAX
        loop = asyncio.get_running_loop()
        log.append("AC0")
        lists.wake()
        await waits[0].wait(lists.interval_seconds)
        started = loop.time()
        log.append("AC0")
        lists.wake()
        await waits[0].wait(lists.interval_seconds)
        assert loop.time() - started >= lists.interval_seconds * 0.9
        for each in waits:
            lists.leave(each)

    play(scenario)


def test_a_list_that_cannot_start_is_refused_and_leaves_no_slot() -> None:
    async def scenario(log: AppendedLogStore, lists: WaitingLists) -> None:
        log.error = Unavailable("gone")
        for _ in range(limits.LIST_WAITS_PER_ACCOUNT_MAX + 1):
            with pytest.raises(Unavailable):
                await lists.enter("AC1", None, EVENTS)
        assert lists.count == 0
        log.error = None
        lists.leave(await enter(lists))

    play(scenario)


def test_a_failed_read_of_the_log_is_repeated_at_the_next_hint() -> None:
    async def scenario(log: AppendedLogStore, lists: WaitingLists) -> None:
        wait = await enter(lists)
        await turns()
        log.error = Unavailable("gone")
        log.append()
        lists.wake()
        await turns()
        log.error = None
        lists.wake()
        await wait.wait(0)
        assert not wait.is_over
        lists.leave(wait)

    play(scenario)


def test_a_published_topic_wakes_the_lists_of_its_account_without_the_log() -> None:
    async def scenario(log: AppendedLogStore, lists: WaitingLists) -> None:
        waits = [
            await lists.enter(account_sid, None, frozenset({topic}))
            for account_sid, topic in (("AC1", REQUEST_RECORDED), ("AC2", REQUEST_RECORDED))
        ]
        for each in waits:
            each.start(LONG_SECONDS)
        lists.publish("AC1", REQUEST_RECORDED)
        lists.publish("AC2", WEBHOOK_ATTEMPTED)
        assert await waits[0].wait(0)
        assert not waits[1]._is_notified
        assert log.reads == 0
        for each in waits:
            lists.leave(each)
        lists.publish("AC1", REQUEST_RECORDED)

    play(scenario)


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_polled_topic_is_polled_on_a_shared_store_only(*, is_shared: bool) -> None:
    async def scenario(_log: AppendedLogStore, lists: WaitingLists) -> None:
        wait = await lists.enter("AC1", None, frozenset({WEBHOOK_ATTEMPTED}))
        wait.start(0.5)
        assert await wait.wait(0) == is_shared
        lists.leave(wait)

    play(scenario, is_shared=is_shared)


def test_a_wait_that_is_started_again_has_a_new_end_unless_the_server_stops() -> None:
    async def scenario(_log: AppendedLogStore, lists: WaitingLists) -> None:
        wait = await lists.enter("AC1", None, EVENTS)
        wait.restart(0)
        assert wait.is_over
        assert not await wait.wait(0)
        wait.restart(LONG_SECONDS)
        assert not wait.is_over
        lists.stop()
        wait.restart(LONG_SECONDS)
        assert wait.is_over
        assert wait.is_ended
        lists.leave(wait)

    play(scenario)


def test_the_lists_of_an_account_and_of_all_are_bounded() -> None:
    async def scenario(_log: AppendedLogStore, lists: WaitingLists) -> None:
        per_account = limits.LIST_WAITS_PER_ACCOUNT_MAX
        accounts = limits.LIST_WAITS_MAX // per_account
        each_account = [f"AC{number}" for number in range(accounts)] * per_account
        waits = [await enter(lists, account_sid) for account_sid in each_account]
        with pytest.raises(ApiError) as refused:
            await enter(lists, "AC0")
        assert refused.value.status == 429
        # An account below its fair share is admitted (operations/admission.py).
        waits.append(await enter(lists, "AC new"))
        for each in waits:
            lists.leave(each)

    play(scenario)
