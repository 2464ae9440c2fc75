"""Sessions and tickets of the console in a real store, over time and through revocations."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parlour.operations.caller import ACCOUNT, ADMIN, OPERATOR, VIEW
from parlour.protocol.vault import Vault
from parlour.resources import account_setup
from parlour.resources.accounts import actions as account_actions
from parlour.resources.console_sessions import lifecycle as console_session_lifecycle
from parlour.resources.console_sessions import retention as console_session_retention
from parlour.resources.operators import actions as operator_actions
from parlour.resources.operators import store as operator_store
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemRandom
from parlour.vocabulary.scope import Scope
from tests.unit.delivery.database import Database, run_on_database

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.resources.console_sessions.store import ConsoleSession
    from parlour.store.transaction import Transaction

VAULT: Final = Vault(bytes(32), SystemRandom().token)
ACCOUNT_SID: Final = "AC" + "1" * 32
OPERATOR_SID: Final = "OP" + "1" * 32
KEY_SID: Final = "SK" + "1" * 32
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS


async def make_account(database: Database) -> None:
    """Insert an account with an API key."""

    async def work(tx: Transaction) -> None:
        await account_setup.create_account(
            tx, VAULT, sid=ACCOUNT_SID, auth_token="a" * 32, friendly_name="Shop"
        )
        scope = Scope(ACCOUNT_SID)
        await account_actions.create_login(tx, VAULT, scope, KEY_SID, "b" * 32, "key")

    await database.store.write(work)


async def make_operator(database: Database, sid: str = OPERATOR_SID, name: str = "eve") -> None:
    """Insert an operator."""
    await database.store.write(
        lambda tx: operator_actions.create_operator(
            tx, VAULT, sid=sid, name=name, role=VIEW, secret="c" * 32
        )
    )


async def open_session(
    database: Database, name: str, digest: str, *, ends_in_ms: int | None = 12 * HOUR_MS
) -> ConsoleSession:
    """Open a session of an operator or of a login of the account; ``None``: of test mode."""
    is_operator = name.startswith("OP") or name == console_session_lifecycle.LOCAL
    ends = 0 if ends_in_ms is None else database.clock.now_ms() + ends_in_ms
    opened: ConsoleSession = await database.store.write(
        lambda tx: console_session_lifecycle.open_session(
            tx,
            kind=OPERATOR if is_operator else ACCOUNT,
            name=name,
            role=ADMIN,
            account_sid="" if is_operator else ACCOUNT_SID,
            token_digest=digest,
            ends=ends,
        )
    )
    return opened


async def live(database: Database, digest: str) -> Any:
    """Return the live session of a token."""
    return await database.read(console_session_lifecycle.live_session, digest)


def test_an_idle_session_ends_after_half_an_hour_and_a_used_one_after_twelve_hours(
    tmp_path: Path,
) -> None:
    async def scenario(database: Database) -> None:
        await make_account(database)
        used = await open_session(database, ACCOUNT_SID, "used")
        await open_session(database, ACCOUNT_SID, "idle")
        for _ in range(35):
            database.clock.advance(20 * MINUTE_MS)
            assert await live(database, "used") is not None
            await database.write(console_session_lifecycle.touch_session, used.sid)
        assert await live(database, "idle") is None
        database.clock.advance(20 * MINUTE_MS)
        assert await live(database, "used") is None
        assert await live(database, "other") is None

    run_on_database(tmp_path, scenario)


def test_the_last_use_is_recorded_once_a_minute(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await make_account(database)
        opened = await open_session(database, ACCOUNT_SID, "one")
        database.clock.advance(MINUTE_MS - 1)
        assert not console_session_lifecycle.is_touch_due(opened, database.clock.now_ms())
        await database.write(console_session_lifecycle.touch_session, opened.sid)
        assert (await live(database, "one")).last_used == opened.last_used
        database.clock.advance(1)
        assert console_session_lifecycle.is_touch_due(opened, database.clock.now_ms())
        await database.write(console_session_lifecycle.touch_session, opened.sid)
        assert (await live(database, "one")).last_used == opened.made + MINUTE_MS

    run_on_database(tmp_path, scenario)


def test_a_session_of_test_mode_outlives_any_clock_and_ends_with_the_process(
    tmp_path: Path,
) -> None:
    async def scenario(database: Database) -> None:
        await make_account(database)
        await open_session(database, ACCOUNT_SID, "one", ends_in_ms=None)
        database.clock.advance(1000 * HOUR_MS)
        await database.write(console_session_retention.step)
        assert await live(database, "one") is not None
        await database.write(console_session_lifecycle.end_sessions_of_processes)
        assert await live(database, "one") is None

    run_on_database(tmp_path, scenario)


def test_a_revoked_key_ends_its_sessions_and_no_others(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await make_account(database)
        await open_session(database, KEY_SID, "of key")
        await open_session(database, ACCOUNT_SID, "of account")
        await database.write(account_actions.revoke_key, Scope(ACCOUNT_SID), KEY_SID)
        assert await live(database, "of key") is None
        assert await live(database, "of account") is not None

    run_on_database(tmp_path, scenario)


def test_another_auth_token_ends_the_sessions_of_the_account(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await make_account(database)
        await open_session(database, ACCOUNT_SID, "one")
        database.clock.advance(1)
        scope = Scope(ACCOUNT_SID)
        for secret in ("a" * 32, "d" * 32):
            assert await live(database, "one") is not None
            await database.write(
                account_actions.ensure_login, VAULT, scope, ACCOUNT_SID, secret, "auth token"
            )
        assert await live(database, "one") is None

    run_on_database(tmp_path, scenario)


def test_a_suspended_account_ends_its_sessions_for_good(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await make_account(database)
        await open_session(database, ACCOUNT_SID, "one")
        for status in ("suspended", "active"):
            await database.write(account_actions.set_account_status, Scope(ACCOUNT_SID), status)
            assert await live(database, "one") is None

    run_on_database(tmp_path, scenario)


def test_a_revoked_operator_ends_its_sessions_and_leaves_its_name_free(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await make_operator(database)
        await open_session(database, OPERATOR_SID, "one")
        await open_session(database, console_session_lifecycle.LOCAL, "local")
        assert await live(database, "one") is not None
        assert await database.read(operator_store.operator_login, OPERATOR_SID) is not None
        assert await database.write(operator_actions.revoke_operator, OPERATOR_SID)
        assert not await database.write(operator_actions.revoke_operator, OPERATOR_SID)
        assert await live(database, "one") is None
        assert await live(database, "local") is not None
        assert await database.read(operator_store.operator_login, OPERATOR_SID) is None
        await make_operator(database, "OP" + "2" * 32)

    run_on_database(tmp_path, scenario)


def test_signing_out_ends_one_session(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await make_account(database)
        opened = await open_session(database, ACCOUNT_SID, "one")
        await open_session(database, ACCOUNT_SID, "two")
        assert await database.write(console_session_lifecycle.end_session, opened.sid)
        assert not await database.write(console_session_lifecycle.end_session, opened.sid)
        assert await live(database, "one") is None
        assert await live(database, "two") is not None

    run_on_database(tmp_path, scenario)


async def make_ticket(database: Database, digest: str) -> None:
    """Insert a ticket."""
    await database.store.write(
        lambda tx: console_session_lifecycle.make_ticket(
            tx,
            kind=OPERATOR,
            name=console_session_lifecycle.LOCAL,
            role=ADMIN,
            account_sid="",
            digest=digest,
        )
    )


def test_a_ticket_is_redeemed_once_and_within_a_minute(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        for digest in ("one", "late", "test"):
            await make_ticket(database, digest)
        database.clock.advance(MINUTE_MS - 1)
        redeemed = await database.write(console_session_lifecycle.redeem_ticket, "one")
        assert (redeemed.kind, redeemed.principal_name) == (
            OPERATOR,
            console_session_lifecycle.LOCAL,
        )
        assert await database.write(console_session_lifecycle.redeem_ticket, "one") is None
        database.clock.advance(1)
        assert await database.write(console_session_lifecycle.redeem_ticket, "late") is None
        in_test_mode = partial(console_session_lifecycle.redeem_ticket, is_test=True)
        assert await database.write(in_test_mode, "test") is not None

    run_on_database(tmp_path, scenario)


def test_the_job_is_due_when_rows_expire_and_deletes_only_these(tmp_path: Path) -> None:
    async def count(tx: Transaction, table: str) -> int:
        row = await tx.one(f"SELECT COUNT(*) FROM {table}")
        assert row is not None
        return int(row[0])

    async def scenario(database: Database) -> None:
        assert await database.read(console_session_retention.next_due_ms) is None
        await make_account(database)
        await open_session(database, ACCOUNT_SID, "one")
        await make_ticket(database, "ticket")
        start_ms = database.clock.now_ms()
        due_ms = await database.read(console_session_retention.next_due_ms)
        assert due_ms == start_ms + MINUTE_MS + limits.RETENTION_SLACK_MS
        database.clock.advance(due_ms - start_ms)
        await open_session(database, ACCOUNT_SID, "two")
        await database.write(console_session_retention.step)
        assert await database.read(count, "console_ticket") == 0
        assert await database.read(count, "console_session") == 2
        due_ms = await database.read(console_session_retention.next_due_ms)
        assert due_ms == start_ms + 30 * MINUTE_MS + limits.RETENTION_SLACK_MS
        database.clock.advance(due_ms - database.clock.now_ms())
        await database.write(console_session_retention.step)
        assert await database.read(count, "console_session") == 1
        assert await live(database, "two") is not None

    run_on_database(tmp_path, scenario)


def test_the_oldest_session_of_a_principal_ends_beyond_the_limit(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await make_account(database)
        await make_operator(database)
        most = limits.CONSOLE_SESSIONS_PER_PRINCIPAL_MAX
        for name in (ACCOUNT_SID, KEY_SID, OPERATOR_SID, console_session_lifecycle.LOCAL):
            for number in range(most):
                await open_session(database, name, f"{name} {number}")
                database.clock.advance(1)
        assert await live(database, f"{ACCOUNT_SID} 0") is not None
        for number in range(2):
            await open_session(database, ACCOUNT_SID, f"new {number}")
            database.clock.advance(1)
            assert await live(database, f"{ACCOUNT_SID} {number}") is None
            assert await live(database, f"{ACCOUNT_SID} {number + 1}") is not None
            assert await live(database, f"new {number}") is not None
        # Others have their own limit.
        for name in (KEY_SID, OPERATOR_SID, console_session_lifecycle.LOCAL):
            assert await live(database, f"{name} 0") is not None

    run_on_database(tmp_path, scenario)
