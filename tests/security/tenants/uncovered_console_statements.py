"""Statements of the sessions of the console, which no operation of an account runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.caller import ACCOUNT, ADMIN
from parlour.resources.accounts import store as account_store
from parlour.resources.console_sessions import lifecycle as console_session_lifecycle
from parlour.resources.console_sessions import store as console_session_store
from parlour.resources.operator_accounts import store as operator_account_store
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from tests.security.tenants.twin_accounts import AccountObjects

HOUR_MS = 60 * 60 * 1000


async def run_statements(tx: Transaction, world: AccountObjects) -> None:
    """Open sessions of the account, find their login, and delete them."""
    for digest in ("one", "two", "three"):
        await console_session_lifecycle.open_session(
            tx,
            kind=ACCOUNT,
            name=world.sid if digest == "one" else "other",
            role=ADMIN,
            account_sid=world.sid,
            token_digest=digest,
            ends=tx.now + HOUR_MS,
        )
    assert await console_session_lifecycle.live_session(tx, "one") is not None
    await console_session_store.delete_of_principal(tx, world.sid, world.sid)
    assert await console_session_store.find_by_token(tx, "one") is None
    await console_session_store.delete_oldest_of_principal(tx, world.sid, "other", 1)
    found = [await console_session_store.find_by_token(tx, each) for each in ("two", "three")]
    assert [each is None for each in found].count(True) == 1
    await console_session_store.delete_of_account(tx, world.sid)
    for each in ("two", "three"):
        assert await console_session_store.find_by_token(tx, each) is None
    await _run_statements_of_operators(tx, Scope(world.sid))


async def _run_statements_of_operators(tx: Transaction, scope: Scope) -> None:
    """Count the rows of the account, and rename it."""
    most = 1000
    assert (await operator_account_store.count_conversations_up_to(tx, scope, most)).count > 0
    assert (await operator_account_store.sum_media_up_to(tx, scope, most)).count > 0
    assert await account_store.update_account_name(tx, scope, "Renamed") == 1
