"""Rows of webhook retry schedules; without a row the server's default applies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store.statements import values_of

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

DURABLE: Final = "durable"
HOSTED: Final = "hosted"

SCHEDULES: Final = (DURABLE, HOSTED)
"""Retry for a day, or as the hosted API does."""


class WebhookRetries(msgspec.Struct, frozen=True):
    """The retry schedule of an account; None for the server's default."""

    account_sid: str
    retries: str | None


FETCH = "SELECT schedule FROM webhook_schedule WHERE account_sid = $1"
UPSERT = """
INSERT INTO webhook_schedule (account_sid, schedule) VALUES ($1, $2)
ON CONFLICT (account_sid) DO UPDATE SET schedule = excluded.schedule
"""
DELETE = "DELETE FROM webhook_schedule WHERE account_sid = $1"


async def get_webhook_retries(tx: Transaction, scope: Scope) -> WebhookRetries:
    """Return the account's retry schedule."""
    row = await tx.one(FETCH, scope.account_sid)
    return WebhookRetries(scope.account_sid, row[0] if row else None)


async def save_webhook_retries(tx: Transaction, scope: Scope, chosen: WebhookRetries) -> None:
    """Write the retry schedule, or delete its row for the server's default."""
    assert chosen.account_sid == scope.account_sid
    if chosen.retries is None:
        await tx.run(DELETE, scope.account_sid)
        return
    assert chosen.retries in SCHEDULES
    await tx.run(UPSERT, *values_of(chosen))
