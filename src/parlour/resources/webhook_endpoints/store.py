"""Rows of webhook endpoints: the last results of each URL, written with the results of attempts.

The backlog of a URL is in the webhook queue (``store/webhook_queue.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.store.statements import statement, values_of
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parlour.resources.webhook_attempts.store import WebhookAttempt
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

_HOUR_MS: Final = 60 * 60 * 1000
_ANSWERED: Final = frozenset({"delivered", "rejected"})
"""Outcomes of a receiver that works: one that rejects an action has answered as intended."""


class WebhookEndpoint(Redacted, msgspec.Struct, frozen=True):
    """The last results of a URL, which may contain a password.

    ``status`` to ``elapsed_ms`` are of the last failure. ``date_used`` is rounded down to the hour.
    """

    account_sid: str
    url: str
    date_delivered: int | None = None
    date_failed: int | None = None
    status: int | None = None
    error_code: int | None = None
    error: str | None = None
    elapsed_ms: int = 0
    date_used: int = 0


_OF_LAST_FAILURE: Final = {
    name: f"CASE WHEN excluded.date_failed IS NULL THEN webhook_endpoint.{name}"
    f" ELSE excluded.{name} END"
    for name in ("status", "error_code", "error", "elapsed_ms")
}
SAVE = statement(
    """
INSERT INTO webhook_endpoint ({columns}) VALUES ({values})
ON CONFLICT (account_sid, url) DO UPDATE
   SET date_delivered = COALESCE(excluded.date_delivered, webhook_endpoint.date_delivered),
       date_failed = COALESCE(excluded.date_failed, webhook_endpoint.date_failed),
       status = {status}, error_code = {error_code}, error = {error}, elapsed_ms = {elapsed_ms},
       date_used = excluded.date_used
""",
    WebhookEndpoint,
    **_OF_LAST_FAILURE,
)
LIST = statement(
    "SELECT {columns} FROM webhook_endpoint WHERE account_sid = $1 ORDER BY url LIMIT $2",
    WebhookEndpoint,
)
# tidy: account-in-sql - the retention time is the same for all accounts
EXPIRE = """
DELETE FROM webhook_endpoint WHERE (account_sid, url) IN (
    SELECT account_sid, url FROM webhook_endpoint
     WHERE date_used < $1 ORDER BY date_used LIMIT $2)
"""
# tidy: account-in-sql - as above
OLDEST = "SELECT date_used FROM webhook_endpoint ORDER BY date_used LIMIT 1"


def endpoints_of(attempts: Iterable[tuple[str, WebhookAttempt]]) -> list[WebhookEndpoint]:
    """Return the last results of each URL in some attempts, oldest first, with their URLs.

    In the order of their keys, so that two writers of the same rows never wait for each other.
    """
    found: dict[tuple[str, str], WebhookEndpoint] = {}
    for url, attempt in attempts:
        key = (attempt.account_sid, url)
        found[key] = _after(found.get(key) or WebhookEndpoint(*key), attempt)
    return [found[key] for key in sorted(found)]


def _after(endpoint: WebhookEndpoint, attempt: WebhookAttempt) -> WebhookEndpoint:
    date_ms = attempt.date_created
    used = date_ms - date_ms % _HOUR_MS
    if attempt.outcome in _ANSWERED:
        return msgspec.structs.replace(endpoint, date_delivered=date_ms, date_used=used)
    return msgspec.structs.replace(
        endpoint,
        date_failed=date_ms,
        status=attempt.status,
        error_code=attempt.error_code,
        error=attempt.error,
        elapsed_ms=attempt.elapsed_ms,
        date_used=used,
    )


async def save_endpoint(tx: Transaction, endpoint: WebhookEndpoint) -> None:
    """Store the last results of a URL; those that the record lacks stay."""
    await tx.run(SAVE, *values_of(endpoint))


async def list_endpoints(tx: Transaction, scope: Scope, count: int) -> list[WebhookEndpoint]:
    """Return the account's endpoints by URL."""
    return [WebhookEndpoint(*row) for row in await tx.all(LIST, scope.account_sid, count)]
