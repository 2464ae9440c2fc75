"""Actions that share a transaction: one commit for all, and one failure fails one action."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from parlour.store import event_log
from parlour.store.postgres.engine import PostgresStore
from parlour.store.transaction import ConflictScope, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock, SystemRandom
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.scope import Scope
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.store.transaction import Transaction

pytestmark = pytest.mark.timeout(60)

ACCOUNT = "AC" + "0" * 32
OTHER_ACCOUNT = "AC" + "1" * 32
SCOPE = Scope(ACCOUNT, "IS" + "0" * 32)
COUNT = 20

MAKE = """
CREATE TABLE tally (account_sid TEXT, sid TEXT, number BIGINT, PRIMARY KEY (account_sid, sid))
"""
ADD = "INSERT INTO tally (account_sid, sid, number) VALUES ($1, $2, $3)"
SELECT_TALLY = "SELECT number, xmin::text FROM tally WHERE account_sid = $1 AND sid = $2 FOR UPDATE"
COUNT_UP = "UPDATE tally SET number = $3 WHERE account_sid = $1 AND sid = $2"
ALL = "SELECT sid, number, xmin::text FROM tally ORDER BY sid"


class StoreWithTallies:
    """A store, and a table of tallies that actions count in."""

    def __init__(self, store: PostgresStore, other_connection: Any, url: str) -> None:
        self.store = store
        self.other_connection = other_connection
        self.url = url

    async def count_up(self, sid: str, then: Callable[[Transaction], Awaitable[None]] | None = None
    ) -> int:  # fmt: skip
        """Count one tally up, emit an event, and do something else."""

        async def work(tx: Transaction) -> int:
            row = await tx.one(SELECT_TALLY, ACCOUNT, sid)
            if row is None:
                raise ApiError(50377)
            assert await tx.run(COUNT_UP, ACCOUNT, sid, row[0] + 1) == 1
            await tx.emit(SCOPE, "counted", conversation_sid=sid, subject_sid=str(row[0] + 1),
                          payload={})  # fmt: skip
            if then is not None:
                await then(tx)
            return int(row[0] + 1)

        return await self.store.write(work, account_sid=ACCOUNT, conflict_scope=ConflictScope(sid))

    async def tallies(self) -> dict[str, int]:
        """Each tally's number."""
        return {row["sid"]: row["number"] for row in await self.other_connection.fetch(ALL)}

    async def transactions(self) -> int:
        """How many transactions have last written the tallies."""
        return len({row["xmin"] for row in await self.other_connection.fetch(ALL)})

    async def emitted(self, count: int) -> list[tuple[str, str]]:
        """Return this many emitted events, as tally and number, in the order of the log."""
        for _ in range(500):  # A rollback leaves gaps, which readers settle.
            found = await self.store.read(lambda tx: event_log.read_after(tx, 0, 1000))
            if len(found) == count:
                break
            await asyncio.sleep(0.01)
        return [(each.conversation_sid, each.subject_sid) for each in found]


def sids(count: int = COUNT) -> list[str]:
    """The names of the tallies."""
    return [f"CH{number:02d}" for number in range(count)]


def on_a_bench(scenario: Callable[[StoreWithTallies], Awaitable[None]]) -> None:
    """Play it on a new database with tallies at zero."""
    url = shared().make_database()

    async def run_scenario() -> None:
        store = PostgresStore(url, SystemClock(), SystemRandom(), connections=6)
        await store.start()
        other_connection = await asyncpg.connect(url, server_settings={"parlour.account": "*"})
        await other_connection.execute(MAKE)
        await other_connection.executemany(ADD, [(ACCOUNT, sid, 0) for sid in sids()])
        try:
            await scenario(StoreWithTallies(store, other_connection, url))
        finally:
            await other_connection.close()
            await store.close()

    asyncio.run(run_scenario())


def test_disjoint_actions_share_a_commit() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        counted = await asyncio.gather(*(bench.count_up(sid) for sid in sids()))
        assert counted == [1] * COUNT
        assert await bench.tallies() == dict.fromkeys(sids(), 1)
        assert await bench.transactions() == 1
        assert await bench.emitted(COUNT) == [(sid, "1") for sid in sids()]

    on_a_bench(scenario)


def test_conflicting_actions_of_one_conversation_run_in_order() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        counted = await asyncio.gather(*(bench.count_up("CH00") for _ in range(COUNT)))
        assert counted == list(range(1, COUNT + 1))
        assert await bench.emitted(COUNT) == [("CH00", str(number)) for number in counted]

    on_a_bench(scenario)


async def _refuse(_tx: Transaction) -> None:
    raise ApiError(50377)


async def _break(_tx: Transaction) -> None:
    raise ZeroDivisionError


async def _collide(tx: Transaction) -> None:
    await tx.run(ADD, ACCOUNT, "CH00", 0)


async def _hold(tx: Transaction) -> None:
    await tx.lock_name("pair", ACCOUNT)


@pytest.mark.parametrize(
    ("then", "raised"),
    [
        (_refuse, ApiError),
        (_break, ZeroDivisionError),
        (_collide, asyncpg.UniqueViolationError),
        (_hold, None),
    ],
)
def test_action_that_fails_after_a_write_leaves_the_others_committed(
    then: Callable[[Transaction], Awaitable[None]], raised: type[Exception] | None
) -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        outcomes = await asyncio.gather(
            *(bench.count_up(sid, then if sid == "CH07" else None) for sid in sids()),
            return_exceptions=True,
        )
        failed = outcomes.pop(7)
        assert failed == 1 if raised is None else type(failed) is raised
        assert outcomes == [1] * (COUNT - 1)
        expected = dict.fromkeys(sids(), 1) | {"CH07": 0 if raised else 1}
        assert await bench.tallies() == expected
        emitted = await bench.emitted(sum(expected.values()))
        assert sorted(emitted) == [(sid, "1") for sid in sids() if expected[sid]]

    on_a_bench(scenario)


def test_action_refused_before_a_write_does_not_abort_the_group() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        asked = ["CH99", *sids()]
        outcomes = await asyncio.gather(
            *(bench.count_up(sid) for sid in asked), return_exceptions=True
        )
        assert isinstance(outcomes[0], ApiError)
        assert outcomes[1:] == [1] * COUNT
        assert await bench.transactions() == 1

    on_a_bench(scenario)


def test_action_that_awaits_something_else_is_executed_alone() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        async def sleep(_tx: Transaction) -> None:
            await asyncio.sleep(0)

        outcomes = await asyncio.gather(
            *(bench.count_up(sid, sleep if sid == "CH03" else None) for sid in sids())
        )
        assert outcomes == [1] * COUNT
        assert await bench.tallies() == dict.fromkeys(sids(), 1)

    on_a_bench(scenario)


def test_locked_conversation_blocks_only_its_own_actions() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        lock = bench.other_connection.transaction()
        await lock.start()
        await bench.other_connection.fetch("SELECT 1 FROM tally WHERE sid = 'CH05' FOR UPDATE")
        counting = {sid: asyncio.create_task(bench.count_up(sid)) for sid in sids()}
        locked = counting.pop("CH05")
        async with asyncio.timeout(limits.STORE_TRANSACTION_MS_MAX / 1000):
            assert await asyncio.gather(*counting.values()) == [1] * (COUNT - 1)
        assert not locked.done()
        await lock.rollback()
        assert await locked == 1

    on_a_bench(scenario)


def test_accounts_do_not_see_each_other_in_a_group() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        seen: list[tuple[str, str]] = []

        def whose(account_sid: str) -> Callable[[Transaction], Awaitable[None]]:
            async def work(tx: Transaction) -> None:
                row = await tx.one("SELECT current_setting('parlour.account')")
                assert row is not None
                seen.append((account_sid, row[0]))

            return work

        await asyncio.gather(
            *(
                bench.store.write(
                    whose(account), account_sid=account, conflict_scope=ConflictScope(sid)
                )
                for sid in sids(4)
                for account in (ACCOUNT, OTHER_ACCOUNT)
            )
        )
        assert sorted(seen) == [
            (account, account) for account in (ACCOUNT,) * 4 + (OTHER_ACCOUNT,) * 4
        ]

    on_a_bench(scenario)


def test_connection_lost_before_the_commit_has_the_actions_retried() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        broken: list[str] = []

        async def break_once(tx: Transaction) -> None:
            if not broken:
                broken.append("once")
                await tx.one("SELECT pg_terminate_backend(pg_backend_pid())")

        outcomes = await asyncio.gather(
            *(bench.count_up(sid, break_once if sid == "CH02" else None) for sid in sids())
        )
        assert broken
        assert outcomes == [1] * COUNT
        assert await bench.tallies() == dict.fromkeys(sids(), 1)

    on_a_bench(scenario)


def test_failed_commit_fails_every_action_of_the_group() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        # Whether the last row may stay is only checked when the transaction commits.
        await bench.other_connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger AS"
            " 'BEGIN RAISE serialization_failure; END' LANGUAGE plpgsql;"
            " CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON tally DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        outcomes = await asyncio.gather(
            *(bench.count_up(sid) for sid in sids()), return_exceptions=True
        )
        assert {type(each) for each in outcomes} == {Unavailable}
        assert await bench.tallies() == dict.fromkeys(sids(), 0)

    on_a_bench(scenario)


def test_concurrent_groups_of_two_nodes_lose_no_update() -> None:
    async def scenario(bench: StoreWithTallies) -> None:
        second = PostgresStore(bench.url, SystemClock(), SystemRandom(), connections=6)
        await second.start()
        other = StoreWithTallies(second, bench.other_connection, bench.url)
        rounds = 15
        try:
            async with asyncio.timeout(30):
                for _ in range(rounds):
                    await asyncio.gather(
                        *(bench.count_up(sid) for sid in sids()),
                        *(other.count_up(sid) for sid in reversed(sids())),
                    )
        finally:
            await second.close()
        assert await bench.tallies() == dict.fromkeys(sids(), rounds * 2)
        emitted = await bench.emitted(COUNT * rounds * 2)
        numbers = [int(number) for sid, number in emitted if sid == "CH00"]
        assert numbers == list(range(1, rounds * 2 + 1))

    on_a_bench(scenario)
