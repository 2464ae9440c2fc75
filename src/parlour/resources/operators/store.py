"""Rows of operators: names, roles and digests of secrets. They belong to no account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, values_of
from parlour.vocabulary import limits
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction


class OperatorKey(Redacted, msgspec.Struct, frozen=True):
    """The key of an operator. ``last_used`` is 0 before the first use."""

    sid: str
    name: str
    role: str
    secret_digest: str
    date_created: int
    last_used: int
    date_revoked: int | None


class OperatorSecret(Redacted, msgspec.Struct, frozen=True):
    """The columns of an operator that authentication needs."""

    sid: str
    role: str
    secret_digest: str
    last_used: int


INSERT_OPERATOR = insert("operator", OperatorKey)
FETCH_OPERATOR = statement("SELECT {columns} FROM operator WHERE sid = $1", OperatorKey)
FETCH_BY_NAME = statement(
    "SELECT {columns} FROM operator WHERE name = $1 AND date_revoked IS NULL", OperatorKey
)
FETCH_OPERATOR_SECRET = statement(
    "SELECT {columns} FROM operator WHERE sid = $1 AND date_revoked IS NULL", OperatorSecret
)
FETCH_OPERATOR_SECRETS = statement(
    "SELECT {columns} FROM operator WHERE date_revoked IS NULL AND sid IN"
    " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    " LIMIT 16",
    OperatorSecret,
)
NAMES_PER_FETCH = 16
LIST_OPERATORS = statement(
    "SELECT {columns} FROM operator WHERE (date_created, sid) > ($1, $2)"
    " ORDER BY date_created, sid LIMIT $3",
    OperatorKey,
)
REVOKE_OPERATOR = """
UPDATE operator SET date_revoked = $2 WHERE sid = $1 AND date_revoked IS NULL
"""
TOUCH_OPERATOR = "UPDATE operator SET last_used = $2 WHERE sid = $1 AND last_used < $3"
_TOUCH_MS = limits.OPERATOR_TOUCH_SECONDS * 1000


# tidy: scope-first - operators belong to no account
async def insert_operator(tx: Transaction, operator: OperatorKey) -> None:
    """Insert an operator."""
    await tx.run(INSERT_OPERATOR, *values_of(operator))


# tidy: scope-first - as above
async def find_operator(tx: Transaction, sid: str) -> OperatorKey | None:
    """Return an operator, also a revoked one."""
    row = await tx.one(FETCH_OPERATOR, sid)
    return OperatorKey(*row) if row else None


# tidy: scope-first - as above
async def find_by_name(tx: Transaction, name: str) -> OperatorKey | None:
    """Return the operator of a name that is not revoked."""
    row = await tx.one(FETCH_BY_NAME, name)
    return OperatorKey(*row) if row else None


# tidy: scope-first - as above
async def operator_login(tx: Transaction, sid: str) -> OperatorSecret | None:
    """Return the secret of an operator; None if it is unknown or revoked."""
    row = await tx.one(FETCH_OPERATOR_SECRET, sid)
    return OperatorSecret(*row) if row else None


# tidy: scope-first - as above
async def operator_logins(tx: Transaction, sids: list[str]) -> list[OperatorSecret]:
    """Return the secrets of these operators, without unknown and revoked ones."""
    found: list[OperatorSecret] = []
    for start in range(0, len(sids), NAMES_PER_FETCH):
        batch = sids[start : start + NAMES_PER_FETCH]
        padded = batch + batch[:1] * (NAMES_PER_FETCH - len(batch))
        found += [OperatorSecret(*row) for row in await tx.all(FETCH_OPERATOR_SECRETS, *padded)]
    return found


# tidy: scope-first - as above
async def list_operators(tx: Transaction, after: tuple[int, str], count: int) -> list[OperatorKey]:
    """Return operators after a position of date and SID, oldest first, also revoked ones."""
    return [OperatorKey(*row) for row in await tx.all(LIST_OPERATORS, *after, count)]


# tidy: scope-first - as above
async def revoke_operator(tx: Transaction, sid: str) -> int:
    """Revoke an operator; return the number of rows: 0 if it is unknown or revoked."""
    return await tx.run(REVOKE_OPERATOR, sid, tx.now)


# tidy: scope-first - as above
async def touch_operator(tx: Transaction, sid: str) -> None:
    """Record the use of an operator, at most once an hour."""
    await tx.run(TOUCH_OPERATOR, sid, tx.now, tx.now - _TOUCH_MS)


def is_touch_due(last_used: int, now_ms: int) -> bool:
    """Return whether `touch_operator` would record a use now."""
    return last_used < now_ms - _TOUCH_MS
