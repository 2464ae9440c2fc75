"""Scheduled jobs, on a real store with a clock that the test moves."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from parlour.operations import idempotency
from parlour.operations.scheduler import Scheduler
from parlour.protocol.vault import Vault
from parlour.resources import account_setup
from parlour.resources.configuration import store as configuration_store
from parlour.resources.conversation_with_participants.background_create import BackgroundCreate
from parlour.resources.conversations import actions as conversation_actions
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations.parameters import CreateConversation
from parlour.resources.jobs import jobs
from parlour.resources.participants import actions as participant_actions
from parlour.resources.participants import store as participant_store
from parlour.resources.participants.parameters import CreateParticipant
from parlour.store.blobs import DiskBlobStore
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from parlour.resources.conversations.store import Conversation
    from parlour.store.blobs import BlobStore
    from parlour.store.transaction import Transaction

MINUTE_MS = 60_000
PAIR = {
    "MessagingBinding.Address": ["+15558675310"],
    "MessagingBinding.ProxyAddress": ["+15017122661"],
}


class SchedulerSetup:
    """A store with one account, its scheduler, and a clock."""

    def __init__(
        self, store: SqliteStore, clock: FakeClock, scope: Scope, blobs: BlobStore
    ) -> None:
        self.store = store
        self.clock = clock
        self.scope = scope
        self.scheduler = Scheduler(
            store, clock, jobs(BackgroundCreate(), blobs, clock, retention_hours=None)
        )

    async def make(self, **timers: str) -> Conversation:
        """Create a conversation with timers."""
        form = {f"Timers.{name.title()}": [text] for name, text in timers.items()}

        async def work(tx: Transaction) -> Conversation:
            change = CreateConversation.parse(form)
            made = await conversation_actions.build_conversation(tx, self.scope, change)
            await conversation_actions.save_new_conversation(tx, self.scope, made)
            return made

        return await self.store.write(work)

    async def find(self, sid: str) -> Conversation:
        """Return the conversation's present state."""
        found = await self.store.read(
            lambda tx: conversation_store.find_conversation(tx, self.scope, sid)
        )
        assert found is not None
        return found

    async def events(self, sid: str) -> list[tuple[Any, ...]]:
        """Return name and whether it fires, of each event of a conversation."""
        query = "SELECT name, fires FROM event WHERE conversation_sid = $1 ORDER BY sequence"
        return await self.store.read(lambda tx: tx.all(query, sid))

    async def pass_time(self, ms: int) -> None:
        """Advance the clock, and run all due steps."""
        self.clock.advance(ms)
        while True:
            due_ms = await self.scheduler.run_due()
            if due_ms is None or due_ms > self.clock.now_ms():
                return


@asynccontextmanager
async def opened(folder: Path, clock: FakeClock, sid: str = "") -> AsyncIterator[SchedulerSetup]:
    """Open a store in a folder; with a sid its account exists already."""
    store = SqliteStore(folder / "db", clock, SystemRandom())
    vault = Vault(bytes(32), SystemRandom().token)

    async def prepare(tx: Transaction) -> Scope:
        if not sid:
            await account_setup.create_account(
                tx, vault, sid="AC" + "0" * 31 + "1", auth_token="t", friendly_name="x"
            )
        account = Scope(sid or "AC" + "0" * 31 + "1")
        found = await configuration_store.get_configuration(tx, account)
        return Scope(account.account_sid, found.default_chat_service_sid)

    try:
        blobs = DiskBlobStore(folder / "media")
        yield SchedulerSetup(store, clock, await store.write(prepare), blobs)
    finally:
        await store.close()


def in_place(folder: Path, test: Callable[[SchedulerSetup], Awaitable[None]]) -> None:
    """Run a test in a new place."""

    async def run() -> None:
        async with opened(folder, FakeClock()) as place:
            await test(place)

    asyncio.run(run())


def test_timers_act_when_they_are_due_and_not_before(tmp_path: Path) -> None:
    async def test(place: SchedulerSetup) -> None:
        made = await place.make(inactive="PT1M", closed="PT10M")
        begun = place.clock.now_ms()
        assert made.date_inactive == begun + MINUTE_MS
        await place.pass_time(MINUTE_MS - 1)
        assert (await place.find(made.sid)).state == "active"
        await place.pass_time(1)
        inactive = await place.find(made.sid)
        assert (inactive.state, inactive.date_inactive) == ("inactive", None)
        assert inactive.date_closed == begun + 10 * MINUTE_MS
        assert inactive.date_updated == begun + MINUTE_MS
        await place.pass_time(9 * MINUTE_MS - 1)
        assert (await place.find(made.sid)).state == "inactive"
        await place.pass_time(1)
        closed = await place.find(made.sid)
        assert (closed.state, closed.date_closed) == ("closed", None)
        assert await place.events(made.sid) == [
            ("onConversationAdded", 0),
            ("onConversationStateUpdated", 1),
            ("onConversationStateUpdated", 1),
        ]

    in_place(tmp_path, test)


def test_a_timer_that_passed_while_nothing_ran_acts_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as place:
            late = await place.make(inactive="PT1M")
            both = await place.make(inactive="PT1M", closed="PT10M")
        clock.advance(60 * MINUTE_MS)
        async with opened(tmp_path, clock, place.scope.account_sid) as place:
            await place.pass_time(0)
            assert (await place.find(late.sid)).state == "inactive"
            assert (await place.find(both.sid)).state == "closed"

    asyncio.run(run())


def test_more_timers_than_one_step_takes_all_act(tmp_path: Path) -> None:
    async def test(place: SchedulerSetup) -> None:
        made = [await place.make(closed="PT10M") for _ in range(limits.TIMERS_PER_STEP_MAX + 5)]
        made += [await place.make(inactive="PT9M") for _ in range(5)]
        place.clock.advance(10 * MINUTE_MS)
        await place.scheduler.run_due()
        states = [(await place.find(each.sid)).state for each in made]
        assert states.count("closed") == limits.TIMERS_PER_STEP_MAX
        assert states.count("inactive") == 5
        await place.pass_time(0)
        assert {(await place.find(each.sid)).state for each in made} == {"closed", "inactive"}

    in_place(tmp_path, test)


def test_a_conversation_closed_by_its_timer_frees_its_pairs(tmp_path: Path) -> None:
    async def test(place: SchedulerSetup) -> None:
        made = await place.make(closed="PT10M")

        async def add(tx: Transaction) -> None:
            await participant_actions.add_participant(
                tx, place.scope, made, CreateParticipant.parse(PAIR)
            )

        async def holder(tx: Transaction) -> str | None:
            address, proxy = (texts[0] for texts in PAIR.values())
            return await participant_store.find_address_pair_owner(tx, place.scope, address, proxy)

        await place.store.write(add)
        assert await place.store.read(holder) == made.sid
        await place.pass_time(10 * MINUTE_MS)
        assert await place.store.read(holder) is None

    in_place(tmp_path, test)


def test_below_a_removed_service_no_timer_fires(tmp_path: Path) -> None:
    async def test(place: SchedulerSetup) -> None:
        made = await place.make(inactive="PT1M")

        async def remove_service(tx: Transaction) -> None:
            await tx.run("DELETE FROM service WHERE sid = $1", place.scope.service_sid)

        await place.store.write(remove_service)
        await place.pass_time(60 * MINUTE_MS)
        assert await place.events(made.sid) == [("onConversationAdded", 0)]
        # The sweep of media files, once an hour, is all that is left.
        assert await place.scheduler.run_due() == place.clock.now_ms() + 60 * MINUTE_MS

    in_place(tmp_path, test)


def test_responses_for_idempotency_keys_expire_after_a_day(tmp_path: Path) -> None:
    async def test(place: SchedulerSetup) -> None:
        count = limits.PURGE_ROWS_MAX + 7

        async def keep(tx: Transaction) -> None:
            for number in range(count):
                key = (place.scope.account_sid, "CreateUser", str(number))
                await tx.run(idempotency.INSERT, *key, "digest", 201, "{}", tx.now)

        async def stored_rows() -> int:
            row = await place.store.read(lambda tx: tx.one("SELECT COUNT(*) FROM idempotency"))
            assert row is not None
            return int(row[0])

        await place.store.write(keep)
        await place.pass_time(24 * 60 * MINUTE_MS - 1)
        assert await stored_rows() == count
        place.clock.advance(1)
        await place.scheduler.run_due()
        assert await stored_rows() == 7
        await place.pass_time(0)
        assert await stored_rows() == 0

    in_place(tmp_path, test)
