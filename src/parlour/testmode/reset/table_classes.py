"""What a reset does with each table, derived from the schema.

| class        | tables                                    | a reset                               |
|--------------|-------------------------------------------|---------------------------------------|
| of accounts  | with the column ``account_sid``, and      | deletes the rows of the account, or   |
|              | ``account`` itself                        | all rows                              |
| unassigned   | ``UNASSIGNED``: rows of unknown accounts  | of the server deletes them            |
| of the       | ``OF_SERVER``: the server's own state and | leaves them                           |
| server       | configuration                             |                                       |

A table that is in no class is an error, so that a new one is not overlooked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from parlour.store.sqlite.exclusive import quoted, rows_of

if TYPE_CHECKING:
    from parlour.store.sqlite.exclusive import ExclusiveAccess

OF_SERVER: Final = frozenset(
    {
        "carrier_number",
        "carrier_route",
        "carriers_file",
        # Operators and their sessions are of the server, and the audit log outlives the accounts.
        "console_audit",
        "console_session",
        "console_ticket",
        "last_backup",
        "lease",
        "master_key",
        "migration",
        "node",
        "operator",
        # Event numbers never go back, so a position in the log is valid after a reset, too.
        "sink_position",
    }
)
UNASSIGNED: Final = frozenset({"early_report"})
CONNECTED: Final = "presence"
"""Rows about open connections, which a reset and a restore close: no snapshot contains them."""
_ACCOUNT: Final = "account"
_TABLES: Final = """
SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name
"""


@dataclass(frozen=True, slots=True)
class AccountTable:
    """A table with rows of accounts."""

    name: str
    column: str
    """The column with the SID of the account."""
    is_ordered: bool
    """Whether an index begins with that column, so that other accounts are found by a lookup."""

    @property
    def quoted(self) -> str:
        """The name of the table as a quoted identifier."""
        return "main." + quoted(self.name)


@dataclass(frozen=True, slots=True)
class TableClasses:
    """The tables of the schema by class, without the tables of the server."""

    of_accounts: tuple[AccountTable, ...]
    unassigned: tuple[str, ...]


def read_classes(access: ExclusiveAccess) -> TableClasses:
    """Return the classes of all tables. Raises LookupError for a table that is in none."""
    of_accounts, unassigned = [], []
    for name in rows_of(access, _TABLES):
        if name in OF_SERVER:
            continue
        if name in UNASSIGNED:
            unassigned.append(name)
            continue
        column = "sid" if name == _ACCOUNT else "account_sid"
        if column not in _columns(access, name):
            raise LookupError(f"add the table {name} to a class in {__name__}")
        of_accounts.append(AccountTable(name, column, _is_ordered(access, name, column)))
    return TableClasses(tuple(of_accounts), tuple(unassigned))


def _columns(access: ExclusiveAccess, name: str) -> list[str]:
    return [row[1] for row in access.run(f"PRAGMA main.table_info({quoted(name)})")]


def _is_ordered(access: ExclusiveAccess, name: str, column: str) -> bool:
    """Return whether an index of all rows begins with a column."""
    for _, index, _, _, is_partial in access.run(f"PRAGMA main.index_list({quoted(name)})"):
        first = access.run(f"PRAGMA main.index_info({quoted(index)})")[0][2]
        if first == column and not is_partial:
            return True
    return False
