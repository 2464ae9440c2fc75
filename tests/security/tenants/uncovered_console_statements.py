"""Statements of the sessions of the console, which no operation of an account runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.caller import ACCOUNT, ADMIN
from parlour.resources.console_sessions import lifecycle as console_session_lifecycle
from parlour.resources.console_sessions import store as console_session_store

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from tests.security.tenants.twin_accounts import AccountObjects

HOUR_MS = 60 * 60 * 1000


async def run_statements(tx: Transaction, world: AccountObjects) -> None:
    """Open sessions of the account, find their login, and delete them."""
    for digest in ("one", "two"):
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
    await console_session_store.delete_of_account(tx, world.sid)
    assert await console_session_store.find_by_token(tx, "two") is None
