"""Rows of service webhook configurations: one for each service that has ever set one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store import event_log
from parlour.store.table import SettingsTable

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class ServiceWebhookConfiguration(msgspec.Struct, frozen=True):
    """The webhook URLs of a service. All fields are None until the first update.

    ``filters`` is a JSON array of event names.
    """

    account_sid: str
    service_sid: str
    pre_webhook_url: str | None = None
    post_webhook_url: str | None = None
    method: str | None = None
    filters: str | None = None

    @property
    def replaces_account(self) -> bool:
        """Whether this configuration replaces the one of the account."""
        return self.pre_webhook_url is not None or self.post_webhook_url is not None


TABLE = SettingsTable(
    "service_webhook_configuration",
    ServiceWebhookConfiguration,
    key=("account_sid", "service_sid"),
)
get_service_webhook_configuration = TABLE.getter(cached=True)
_save = TABLE.saver()
_delete = TABLE.deleter()


async def save_service_webhook_configuration(
    tx: Transaction, scope: Scope, configuration: ServiceWebhookConfiguration
) -> None:
    """Insert or update the row, and record its previous state in the event log."""
    await _record_change(tx, scope)
    await _save(tx, scope, configuration)


async def delete_service_webhook_configuration(tx: Transaction, scope: Scope) -> None:
    """Delete the row with its service; events committed before are still matched against it."""
    await _record_change(tx, scope)
    await _delete(tx, scope)


async def _record_change(tx: Transaction, scope: Scope) -> None:
    before = await get_service_webhook_configuration(tx, scope)
    await event_log.emit_webhook_change(tx, scope, before.service_sid, before)
