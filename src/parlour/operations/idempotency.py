"""Idempotency keys: ``Idempotency-Key`` on any POST, an extension of the hosted API.

A POST that is repeated within 24 hours with the same account, operation, key and body gets the
stored response; with another body 422; while the first is in flight 409. The response is stored in
the transaction of the change, so a crash cannot separate them. Rejected requests change nothing and
are not stored: a retry is processed again.
"""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from parlour.operations.call import Call, OperationResult
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from parlour.store.transaction import Transaction

FIND = """
SELECT request_digest, status, answer FROM idempotency
 WHERE account_sid = $1 AND operation_id = $2 AND idempotency_key = $3 AND date_created > $4
"""
DELETE = """
DELETE FROM idempotency WHERE account_sid = $1 AND operation_id = $2 AND idempotency_key = $3
"""
INSERT = """
INSERT INTO idempotency (account_sid, operation_id, idempotency_key, request_digest, status,
                         answer, date_created)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# tidy: account-in-sql - expired rows of all accounts are deleted
EXPIRE = """
DELETE FROM idempotency
 WHERE (account_sid, operation_id, idempotency_key) IN (
    SELECT account_sid, operation_id, idempotency_key FROM idempotency
     WHERE date_created <= $1 ORDER BY date_created LIMIT $2)
"""
# tidy: account-in-sql - as above
OLDEST = "SELECT date_created FROM idempotency ORDER BY date_created LIMIT 1"

_RETENTION_MS = limits.IDEMPOTENCY_HOURS * 3_600_000


def digest_of(call: Call[Any]) -> str:
    """Return the digest of path and form; requests with equal digests are the same request."""
    content: tuple[object, ...] = (call.resource, sorted(call.form.items()))
    if call.operation.answers_by_login:
        content = (*content, call.caller.login)
    return hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()


class InFlight:
    """The keys of requests in flight in this process."""

    def __init__(self) -> None:
        self._running: set[tuple[str, str, str]] = set()

    @asynccontextmanager
    async def enter(self, call: Call[Any]) -> AsyncIterator[None]:
        """Lock the call's key. Raises 409 if it is locked."""
        assert call.idempotency_key is not None
        held = (call.caller.account_sid, call.operation.operation_id, call.idempotency_key)
        if held in self._running:
            raise ApiError(20409, "A request with this Idempotency-Key is in progress")
        self._running.add(held)
        try:
            yield
        finally:
            self._running.discard(held)


async def once(
    tx: Transaction,
    call: Call[Any],
    act: Callable[[Transaction, Call[Any]], Awaitable[OperationResult]],
    render: Callable[[Call[Any], OperationResult], bytes],
) -> OperationResult:
    """Return the stored result of this key, or run the action and store its result."""
    account_sid, key = call.caller.account_sid, call.idempotency_key
    operation_id, digest = call.operation.operation_id, call.request_digest
    # Encrypted, since the response to a new API key contains its secret.
    row_name = f"{account_sid} {operation_id} {key}"
    row = await tx.one(FIND, account_sid, operation_id, key, tx.now - _RETENTION_MS)
    if row is not None:
        if row[0] != digest:  # tidy: constant-time - both are digests of what the caller sent.
            text = "The Idempotency-Key was used with other parameters"
            raise ApiError(20422, text, status=422)
        return OperationResult(row[1], None, call.vault.unseal(row[2], row_name).encode())
    outcome = await act(tx, call)
    await tx.run(DELETE, account_sid, operation_id, key)
    body = call.vault.seal(render(call, outcome).decode(), row_name)
    await tx.run(INSERT, account_sid, operation_id, key, digest, outcome.status, body, tx.now)
    return outcome


async def next_due_ms(tx: Transaction) -> int | None:
    """Return when the oldest stored response expires."""
    row = await tx.one(OLDEST)
    return None if row is None else int(row[0]) + _RETENTION_MS


async def expire(tx: Transaction) -> int:
    """Delete a batch of expired responses; return their number."""
    return await tx.run(EXPIRE, tx.now - _RETENTION_MS, limits.PURGE_ROWS_MAX)
