"""Transactions of unresponsive nodes are terminated, and no others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from parlour.store.postgres.connections import SESSION, UNLIMITED
from parlour.store.postgres.engine import PostgresStore
from parlour.store.postgres.orphaned_transactions import OrphanedTransactions
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock, SystemRandom
from tests.store.test_event_gaps import ConcurrentTransaction, emit, names_after, soon
from tests.support.postgres_server import shared
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE_MS = 1_000
# PostgreSQL keeps these where it can; here it waits for the rest of a message.
SHORT = dict.fromkeys(("statement_timeout", "idle_in_transaction_session_timeout"), "200")


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ORPHANED_TRANSACTION_MS_MIN", PATIENCE_MS)
    monkeypatch.setattr(limits, "ORPHANED_TRANSACTIONS_POLL_MS", 100)


def run_scenario(scenario: Callable[[PostgresStore, str, TcpProxy], Awaitable[None]]) -> None:
    """On a new database, and another way to it that can be broken."""
    url = shared().make_database()

    async def played() -> None:
        store = PostgresStore(url, SystemClock(), SystemRandom(), connections=4)
        await store.start()
        try:
            with TcpProxy(shared().port) as wire:
                await scenario(store, url, wire)
        finally:
            await store.close()

    asyncio.run(played())


def test_session_unresponsive_in_a_prepare_blocks_the_log_until_it_is_terminated() -> None:
    async def scenario(store: PostgresStore, url: str, wire: TcpProxy) -> None:
        other = await ConcurrentTransaction.begin(wire.in_front_of(url), **(SESSION | SHORT))
        wire.faults.swallows_answers = True
        asking = asyncio.create_task(other._connection.fetch("SELECT $1::int", 1))
        await emit(store)
        await asyncio.sleep(2 * int(SHORT["statement_timeout"]) / 1000)
        assert await names_after(store, 0) == []
        await soon(lambda: names_after(store, 0), ["ours"])
        with pytest.raises(asyncpg.PostgresConnectionError):
            await asking

    run_scenario(scenario)


@pytest.mark.parametrize(
    "session", [SESSION | {"application_name": "another program"}, SESSION | UNLIMITED]
)
def test_sessions_of_other_names_are_not_terminated(session: dict[str, str]) -> None:
    async def scenario(store: PostgresStore, url: str, _wire: TcpProxy) -> None:
        other = await ConcurrentTransaction.begin(url, **session)
        await emit(store)
        await asyncio.sleep(1.5 * PATIENCE_MS / 1000)
        assert await store._orphaned_transactions.terminate() == 0
        await other.end("COMMIT")
        await soon(lambda: names_after(store, 0), ["theirs", "ours"])

    run_scenario(scenario)


def test_an_unexpected_error_does_not_end_the_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    polls: list[str] = []

    async def fail(_: OrphanedTransactions) -> int:
        polls.append("poll")
        raise KeyError(polls)

    monkeypatch.setattr(limits, "ORPHANED_TRANSACTIONS_POLL_MS", 1)
    monkeypatch.setattr(OrphanedTransactions, "terminate", fail)

    async def scenario(_store: PostgresStore, _url: str, _wire: TcpProxy) -> None:
        async def polls_again() -> bool:
            return len(polls) > 1

        await soon(polls_again, wanted=True)

    run_scenario(scenario)


def test_transaction_within_its_limits_is_not_terminated() -> None:
    async def scenario(store: PostgresStore, url: str, _wire: TcpProxy) -> None:
        other = await ConcurrentTransaction.begin(url, **SESSION)
        assert await store._orphaned_transactions.terminate() == 0
        await asyncio.sleep(1.5 * PATIENCE_MS / 1000)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await other.end("COMMIT")

    run_scenario(scenario)
