"""The development key of an account, which signs tokens for callers that name no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.accounts.store import Login
from parlour.store.statements import statement

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

FIND_KEY_BY_NAME = statement(
    "SELECT {columns} FROM login WHERE account_sid = $1 AND name LIKE 'SK%'"
    " AND friendly_name = $2 ORDER BY sequence LIMIT 1",
    Login,
)


async def find_key_by_name(tx: Transaction, scope: Scope, friendly_name: str) -> Login | None:
    """Return the oldest API key of the account that has this friendly name."""
    row = await tx.one(FIND_KEY_BY_NAME, scope.account_sid, friendly_name)
    return Login(*row) if row else None
