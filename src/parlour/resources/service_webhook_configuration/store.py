"""Service webhook configurations as rows: one for each service that ever set one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, update, values_of
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class ServiceWebhookConfiguration(msgspec.Struct, frozen=True):
    """Where a service's webhooks go. All None until it is first set.

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
        """Whether the account's webhooks do not count for this service."""
        return self.pre_webhook_url is not None or self.post_webhook_url is not None


INSERT = insert("service_webhook_configuration", ServiceWebhookConfiguration)
UPDATE = update(
    "service_webhook_configuration",
    ServiceWebhookConfiguration,
    key=("account_sid", "service_sid"),
)
FETCH = statement(
    "SELECT {columns} FROM service_webhook_configuration"
    " WHERE account_sid = $1 AND service_sid = $2",
    ServiceWebhookConfiguration,
)
DELETE = "DELETE FROM service_webhook_configuration WHERE account_sid = $1 AND service_sid = $2"


async def get_service_webhook_configuration(
    tx: Transaction, scope: Scope
) -> ServiceWebhookConfiguration:
    """The configuration of the scope's service, as it was set or as it begins."""
    row = await tx.one_cached(FETCH, scope.account_sid, scope.service_sid)
    if row is None:
        return ServiceWebhookConfiguration(scope.account_sid, scope.service_sid)
    return ServiceWebhookConfiguration(*row)


async def save_service_webhook_configuration(
    tx: Transaction, scope: Scope, configuration: ServiceWebhookConfiguration
) -> None:
    """Write every changeable column, of a new row if need be, and record how it was before."""
    assert configuration.service_sid == scope.service_sid
    await _record_change(tx, scope)
    if not await tx.run(UPDATE, *values_of(configuration)):
        await tx.run(INSERT, *values_of(configuration))


async def delete_service_webhook_configuration(tx: Transaction, scope: Scope) -> None:
    """Delete it, with its service; what is in the log still goes by it."""
    await _record_change(tx, scope)
    await tx.run(DELETE, scope.account_sid, scope.service_sid)


async def _record_change(tx: Transaction, scope: Scope) -> None:
    before = await get_service_webhook_configuration(tx, scope)
    await tx.emit(
        scope,
        event_names.WEBHOOKS_CHANGED,
        subject_sid=before.service_sid,
        payload={"before": before},
    )
