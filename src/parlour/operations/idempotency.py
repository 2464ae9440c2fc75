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
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

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


def digest_of(call: Call[Any], files: Sequence[object] = ()) -> str:
    """Return the digest of path, form and files; equal digests are of the same request.

    ``files`` are what identifies each file of a form, its content included.
    """
    content: tuple[object, ...] = (call.resource, sorted(call.form.items()))
    if call.operation.answers_by_login:
        content = (*content, call.caller.login)
    if files:
        content = (*content, *files)
    return hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()


def in_progress() -> ApiError:
    """Return the error of a request whose key belongs to one in progress."""
    return ApiError(20409, "A request with this Idempotency-Key is in progress")


class InFlight:
    """The keys of requests in flight in this process."""

    def __init__(self) -> None:
        self._running: set[tuple[str, str, str]] = set()

    @asynccontextmanager
    async def enter(self, call: Call[Any]) -> AsyncIterator[None]:
        """Lock the call's key. Raises 409 if it is locked."""
        held = _identity(call)
        if held in self._running:
            raise in_progress()
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
    stored = await find_stored(tx, call)
    if stored is not None:
        return stored
    outcome = await act(tx, call)
    await store_response(tx, call, outcome.status, render(call, outcome))
    return outcome


async def find_stored(tx: Transaction, call: Call[Any]) -> OperationResult | None:
    """Return the stored result of a call's key, if there is one.

    Raises 422 if it is the result of another request.
    """
    row = await tx.one(FIND, *_identity(call), tx.now - _RETENTION_MS)
    if row is None:
        return None
    if row[0] != call.request_digest:  # tidy: constant-time - digests of what the caller sent
        text = "The Idempotency-Key was used with other parameters"
        raise ApiError(20422, text, status=422)
    return OperationResult(row[1], None, call.vault.unseal(row[2], _row_name(call)).encode())


async def store_response(tx: Transaction, call: Call[Any], status: int, body: bytes) -> None:
    """Store the response to a call's key, in place of an earlier one."""
    await delete_stored(tx, call)
    # Encrypted, since the response to a new API key contains its secret.
    sealed = call.vault.seal(body.decode(), _row_name(call))
    await tx.run(INSERT, *_identity(call), call.request_digest, status, sealed, tx.now)


async def delete_stored(tx: Transaction, call: Call[Any]) -> None:
    """Delete the stored response of a call's key."""
    await tx.run(DELETE, *_identity(call))


def _identity(call: Call[Any]) -> tuple[str, str, str]:
    assert call.idempotency_key is not None
    return call.caller.account_sid, call.operation.operation_id, call.idempotency_key


def _row_name(call: Call[Any]) -> str:
    return " ".join(_identity(call))


async def next_due_ms(tx: Transaction) -> int | None:
    """Return when the oldest stored response expires."""
    row = await tx.one(OLDEST)
    return None if row is None else int(row[0]) + _RETENTION_MS


async def expire(tx: Transaction) -> int:
    """Delete a batch of expired responses; return their number."""
    return await tx.run(EXPIRE, tx.now - _RETENTION_MS, limits.PURGE_ROWS_MAX)
