"""The scale page describes the actual schema."""

from __future__ import annotations

import re
from pathlib import Path

from parlour.store.migrations import migrations

PAGE = (Path(__file__).resolve().parents[2] / "docs/explanation/scale.md").read_text()
_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\);", re.DOTALL)
_NAME = re.compile(r"'(\w+)'")
# Keys that do not start with the account, as the page's table of exceptions explains.
EXCEPTIONS = {
    "account",
    "login",
    "event",
    "sink_position",
    "last_backup",
    "lease",
    "node",
    "migration",
    "master_key",
    "carrier_route",
    "carriers_file",
    "submission_part",
    "early_report",
    "operator",
    "console_session",
    "console_ticket",
    "console_audit",
}


def _tables() -> dict[str, str]:
    return {name: columns for each in migrations() for name, columns in _TABLE.findall(each.text)}


def test_the_statements_for_distribution_name_every_table_once() -> None:
    (statements,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    named = [name for name in _NAME.findall(statements) if name != "account_sid"]
    # The first distributed table is named again by those that are colocated with it.
    named.remove("account_number")
    assert sorted(named) == sorted([*_tables(), "migration"])


def test_every_key_starts_with_the_account_except_documented_ones() -> None:
    for name, columns in _tables().items():
        key = re.search(
            r"PRIMARY KEY \((\w+)|(\w+) [A-Z ]+ PRIMARY KEY|(\w+) \{identity\}", columns
        )
        assert key is not None, name
        first = next(part for part in key.groups() if part)
        assert (first == "account_sid") == (name not in EXCEPTIONS), f"{name}: {first}"
    table = PAGE[PAGE.index("why it is not spread by account") :]
    assert {name for name in EXCEPTIONS if f"`{name}`" in table} == EXCEPTIONS
