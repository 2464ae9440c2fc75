"""Rows of scoped webhooks. Lists are stored as JSON text, in the order they were sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store import event_log
from parlour.store.statements import statement
from parlour.store.table import ChildTable

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class ScopedWebhook(msgspec.Struct, frozen=True):
    """One webhook of one conversation. ``target`` is webhook, trigger or studio.

    ``filters`` and ``triggers`` are JSON arrays or None; ``replay_after`` is the message index
    from which earlier messages are replayed to it. Dates in milliseconds since 1970.
    """

    account_sid: str
    service_sid: str
    conversation_sid: str
    sid: str
    sequence: int
    target: str
    url: str | None
    method: str | None
    filters: str | None
    triggers: str | None
    flow_sid: str | None
    retry_count: int | None
    replay_after: int | None
    date_created: int
    date_updated: int


TABLE = ChildTable("scoped_webhook", ScopedWebhook, key=("account_sid", "conversation_sid", "sid"))
find_scoped_webhook = TABLE.finder()
list_scoped_webhooks = TABLE.lister()
_insert = TABLE.inserter()
_update = TABLE.updater()
_delete = TABLE.deleter()
LIST_ALL = statement(
    "SELECT {columns} FROM scoped_webhook WHERE account_sid = $1 AND conversation_sid = $2"
    " ORDER BY sequence, sid LIMIT 5",
    ScopedWebhook,
)
# ORDER BY makes PostgreSQL use the index: else it scans the table, with rows of all accounts.
FETCH_ANY = """
SELECT 1 FROM scoped_webhook WHERE account_sid = $1 ORDER BY conversation_sid LIMIT 1
"""
# A webhook that was deleted with its conversation or service was not detached: its deliveries are
# still sent.
DETACHED = """
SELECT 1 FROM (
    SELECT service_sid FROM conversation WHERE account_sid = $1 AND sid = $2 LIMIT 1) AS here
  JOIN service ON service.account_sid = $1 AND service.sid = here.service_sid
 WHERE NOT EXISTS (SELECT 1 FROM scoped_webhook WHERE account_sid = $1 AND sid = $3)
"""


async def _record_change(tx: Transaction, scope: Scope, conversation_sid: str) -> None:
    before = await list_all_scoped_webhooks(tx, scope, conversation_sid)
    await event_log.emit_webhook_change(tx, scope, conversation_sid, before)


async def insert_scoped_webhook(tx: Transaction, scope: Scope, webhook: ScopedWebhook) -> None:
    """Insert a webhook, and record the previous webhooks of its conversation."""
    await _record_change(tx, scope, webhook.conversation_sid)
    await _insert(tx, scope, webhook)


async def list_all_scoped_webhooks(
    tx: Transaction, scope: Scope, conversation_sid: str
) -> list[ScopedWebhook]:
    """Return every webhook of a conversation (at most five), oldest first."""
    rows = await tx.all(LIST_ALL, scope.account_sid, conversation_sid)
    return [ScopedWebhook(*row) for row in rows]


async def has_scoped_webhooks(tx: Transaction, scope: Scope) -> bool:
    """Return whether any conversation of the account has a webhook."""
    return await tx.one(FETCH_ANY, scope.account_sid) is not None


async def is_scoped_webhook_detached(
    tx: Transaction, scope: Scope, conversation_sid: str, sid: str
) -> bool:
    """Return whether a webhook was deleted from a conversation that remains."""
    return await tx.one(DETACHED, scope.account_sid, conversation_sid, sid) is not None


async def update_scoped_webhook_row(tx: Transaction, scope: Scope, webhook: ScopedWebhook) -> None:
    """Write a webhook, and record the previous webhooks of its conversation."""
    await _record_change(tx, scope, webhook.conversation_sid)
    await _update(tx, scope, webhook)


async def delete_scoped_webhook_row(
    tx: Transaction, scope: Scope, conversation_sid: str, sid: str
) -> int:
    """Delete a webhook, and record its previous state; return the number of rows."""
    await _record_change(tx, scope, conversation_sid)
    return await _delete(tx, scope, conversation_sid, sid)
