"""Account webhook configurations as rows: one for each account that ever set one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, update, values_of
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class WebhookConfiguration(msgspec.Struct, frozen=True):
    """Where an account's webhooks go. ``filters`` is a JSON array of event names."""

    account_sid: str
    pre_webhook_url: str | None = None
    post_webhook_url: str | None = None
    method: str = "POST"
    filters: str = "[]"
    target: str = "webhook"


INSERT = insert("webhook_configuration", WebhookConfiguration)
UPDATE = update("webhook_configuration", WebhookConfiguration, key=("account_sid",))
FETCH = statement(
    "SELECT {columns} FROM webhook_configuration WHERE account_sid = $1", WebhookConfiguration
)


async def get_webhook_configuration(tx: Transaction, scope: Scope) -> WebhookConfiguration:
    """The configuration of the scope's account, as it was set or as it begins."""
    row = await tx.one_cached(FETCH, scope.account_sid)
    return WebhookConfiguration(*row) if row else WebhookConfiguration(scope.account_sid)


async def save_webhook_configuration(
    tx: Transaction, scope: Scope, configuration: WebhookConfiguration
) -> None:
    """Write every changeable column, of a new row if need be, and record how it was before."""
    assert configuration.account_sid == scope.account_sid
    before = await get_webhook_configuration(tx, scope)
    await tx.emit(
        scope,
        event_names.WEBHOOKS_CHANGED,
        subject_sid=before.account_sid,
        payload={"before": before},
    )
    if not await tx.run(UPDATE, *values_of(configuration)):
        await tx.run(INSERT, *values_of(configuration))
