"""Rows of the delivery reports of virtual phones that are due later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.table import Table

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class VirtualPhoneReport(msgspec.Struct, frozen=True):
    """One report: it is passed on at ``due_ms``, in the order of ``sequence``."""

    account_sid: str
    sequence: int
    reference: str
    recipient: str
    status: str
    error_code: int
    due_ms: int


TABLE = Table(
    "virtual_phone_report", VirtualPhoneReport, key=("account_sid", "sequence"), order="sequence"
)
insert_report = TABLE.inserter()
DELETE = "DELETE FROM virtual_phone_report WHERE account_sid = $1 AND sequence = $2"
# tidy: account-in-sql - the scheduler serves all accounts
NEXT_DUE = "SELECT due_ms FROM virtual_phone_report ORDER BY due_ms, sequence LIMIT 1"
# tidy: account-in-sql - as above
DUE = """
SELECT account_sid, sequence, reference, recipient, status, error_code, due_ms
  FROM virtual_phone_report WHERE due_ms <= $1 ORDER BY due_ms, sequence LIMIT $2
"""


# tidy: scope-first - the scheduler works for every account
async def next_due_ms(tx: Transaction) -> int | None:
    """Return when the next report of any account is due."""
    row = await tx.one(NEXT_DUE)
    return int(row[0]) if row else None


# tidy: scope-first - as above
async def list_due(tx: Transaction, count: int) -> list[VirtualPhoneReport]:
    """Return the reports that are due now, over all accounts, in order."""
    return [VirtualPhoneReport(*row) for row in await tx.all(DUE, tx.now, count)]


async def delete_report(tx: Transaction, scope: Scope, sequence: int) -> None:
    """Delete a report that was passed on."""
    await tx.run(DELETE, scope.account_sid, sequence)
