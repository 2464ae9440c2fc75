"""Rows of webhook retry schedules; without a row the server's default applies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store.table import SettingsTable

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
    # The column; in the event log it is called as in the API.
    schedule: str | None = msgspec.field(default=None, name="retries")


TABLE = SettingsTable("webhook_schedule", WebhookRetries, key=("account_sid",))
get_webhook_retries = TABLE.getter()
_save = TABLE.saver()
_delete = TABLE.deleter()


async def save_webhook_retries(tx: Transaction, scope: Scope, chosen: WebhookRetries) -> None:
    """Write the retry schedule, or delete its row for the server's default."""
    assert chosen.account_sid == scope.account_sid
    if chosen.schedule is None:
        await _delete(tx, scope)
        return
    assert chosen.schedule in SCHEDULES
    await _save(tx, scope, chosen)
