"""Rows of the audit log: who called which operation on what, without contents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, values_of, window
from parlour.store.windows import read_window
from parlour.vocabulary import limits, sids

if TYPE_CHECKING:
    from parlour.operations.caller import Principal
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One call. ``account_sid`` is empty for an operation of the server."""

    sid: str
    date: int
    principal_kind: str
    principal_name: str
    role: str
    session_sid: str
    operation: str
    subject_sid: str
    account_sid: str


class NumberedAuditLine(AuditLine, frozen=True, kw_only=True):
    """The same with its number, in the order of the log."""

    sequence: int


class ListedAuditLine(NumberedAuditLine, frozen=True, kw_only=True):
    """The same with the name of its operator; None for an account, and for an operator's ticket."""

    operator_name: str | None


class AuditFilters(msgspec.Struct, frozen=True):
    """Filters of the log, combined by AND; an empty one selects all."""

    account_sid: str = ""
    principal_name: str = ""
    operation: str = ""
    date_after: int = 0
    date_before: int = 1 << 62


INSERT_LINE = insert("console_audit", AuditLine)
# The dates are no condition of an index: the log is read in its order.
LIST_LINES = window(
    "SELECT {columns}, (SELECT name FROM operator WHERE operator.sid = principal_name)"
    " FROM console_audit WHERE ($1 = '' OR account_sid = $1)"
    " AND ($2 = '' OR principal_name = $2) AND ($3 = '' OR operation = $3)"
    " AND date + 0 >= $4 AND date + 0 < $5",
    NumberedAuditLine,
    order="sequence",
    arguments=5,
    descending=True,
)
# tidy: account-in-sql - for all accounts
OLDEST_LINE = "SELECT date FROM console_audit ORDER BY date LIMIT 1"
# tidy: account-in-sql - as above
FIRST_NUMBER = "SELECT sequence FROM console_audit ORDER BY sequence LIMIT 1"
# tidy: account-in-sql - as above
LAST_NUMBER = "SELECT sequence FROM console_audit ORDER BY sequence DESC LIMIT 1"
# tidy: account-in-sql - as above
EXPIRE = """
DELETE FROM console_audit WHERE sequence IN (
    SELECT sequence FROM console_audit WHERE date < $1 ORDER BY date LIMIT $2)
"""
# tidy: account-in-sql - as above
CUT = """
DELETE FROM console_audit WHERE sequence IN (
    SELECT sequence FROM console_audit WHERE sequence <= $1 ORDER BY sequence LIMIT $2)
"""


# tidy: scope-first - an operation of the server has no account
async def record_call(
    tx: Transaction, principal: Principal, operation_id: str, subject_sid: str, account_sid: str
) -> None:
    """Insert the line of a call."""
    line = AuditLine(
        sid=tx.new_sid(sids.AUDIT_LINE),
        date=tx.now,
        principal_kind=principal.kind,
        principal_name=principal.name,
        role=principal.role,
        session_sid=principal.session_sid,
        operation=operation_id,
        subject_sid=subject_sid,
        account_sid=account_sid,
    )
    await tx.run(INSERT_LINE, *values_of(line))


async def list_lines(
    tx: Transaction, filters: AuditFilters, request: PageRequest
) -> list[ListedAuditLine]:
    """Return a page of the log, newest first."""
    names = ListedAuditLine.__struct_fields__
    rows = await read_window(tx, LIST_LINES, request, *values_of(filters))
    return [ListedAuditLine(**dict(zip(names, row, strict=True))) for row in rows]


# tidy: scope-first - for operators, over all accounts
async def oldest_line_ms(tx: Transaction) -> int | None:
    """Return the date of the oldest line."""
    row = await tx.one(OLDEST_LINE)
    return int(row[0]) if row else None


# tidy: scope-first - as above
async def excess_number(tx: Transaction) -> int | None:
    """Return the number up to which lines exceed the limit of the log; None if none does."""
    first, last = await tx.one(FIRST_NUMBER), await tx.one(LAST_NUMBER)
    if first is None or last is None or last[0] - first[0] < limits.CONSOLE_AUDIT_LINES_MAX:
        return None
    return int(last[0]) - limits.CONSOLE_AUDIT_LINES_MAX


# tidy: scope-first - as above
async def delete_old(tx: Transaction, before_ms: int) -> None:
    """Delete a batch of lines before a date, and of those above the limit of the log."""
    await tx.run(EXPIRE, before_ms, limits.CONSOLE_EXPIRED_PER_STEP_MAX)
    excess = await excess_number(tx)
    if excess is not None:
        await tx.run(CUT, excess, limits.CONSOLE_EXPIRED_PER_STEP_MAX)
