"""Rows of account webhook configurations: one for each account that has ever set one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store import event_log
from parlour.store.table import SettingsTable

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class WebhookConfiguration(msgspec.Struct, frozen=True):
    """The webhook URLs of an account. ``filters`` is a JSON array of event names."""

    account_sid: str
    pre_webhook_url: str | None = None
    post_webhook_url: str | None = None
    method: str = "POST"
    filters: str = "[]"
    target: str = "webhook"


TABLE = SettingsTable("webhook_configuration", WebhookConfiguration, key=("account_sid",))
get_webhook_configuration = TABLE.getter(cached=True)
_save = TABLE.saver()


async def save_webhook_configuration(
    tx: Transaction, scope: Scope, configuration: WebhookConfiguration
) -> None:
    """Insert or update the row, and record its previous state in the event log."""
    before = await get_webhook_configuration(tx, scope)
    await event_log.emit_webhook_change(tx, scope, before.account_sid, before)
    await _save(tx, scope, configuration)
