"""Rows of all accounts, which only test functions read together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.resources.accounts.store import Account
from parlour.store.statements import window
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

DELETE_ACCOUNT: Final = "DELETE FROM account WHERE sid = $1"
LIST_ACCOUNTS: Final = window(
    "SELECT {columns} FROM account WHERE status <> ''", Account, order="date_created", arguments=0
)


async def delete_account_row(tx: Transaction, scope: Scope) -> bool:
    """Delete the row of an account, without which no login of it is valid."""
    return bool(await tx.run(DELETE_ACCOUNT, scope.account_sid))


async def list_accounts(tx: Transaction, request: PageRequest) -> list[Account]:
    """Return a page of all accounts, oldest first."""
    return [Account(*row) for row in await read_window(tx, LIST_ACCOUNTS, request)]
