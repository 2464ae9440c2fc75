"""A twin with identical sids: two real accounts never have them, so this is the strictest test.

Sids are random, so a condition on the account next to one on a sid seems redundant. It isolates
tenants should a sid ever be known or repeated, and this test proves it: in a copy of the database
every row of an account is duplicated for another account.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

import apsw

from parlour.store.dialect import for_sqlite

if TYPE_CHECKING:
    from tests.security.tenants.statement_mutants import Mutant

# Keys without an account in front: a row of these cannot be duplicated.
_NOT_COPIED = {"login", "event", "account", "console_audit"}
# A column of such a key: the copy for the twin has the same sids, but another value of it.
_CHANGED = {
    ("submission_part", "provider_id"),
    ("console_session", "sid"),
    ("console_session", "token_digest"),
    ("console_ticket", "digest"),
}
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%account_sid%'"
_ORDER = re.compile(r"order$|sequence$|index$|\Adate_")
_JOURNAL_MODE = slice(18, 20)


def differs(
    connection: apsw.Connection, mutant: Mutant, arguments: tuple[object, ...], account_sid: str
) -> bool:
    """Return whether a mutant returns or changes anything else than its statement, with a twin."""
    image = bytearray(connection.serialize("main"))
    image[_JOURNAL_MODE] = b"\x01\x01"  # No write-ahead log in memory.
    twin_sid = f"AC{secrets.token_hex(16)}"
    for share in (_double, _double_earlier, _move):
        outcomes = []
        for sql in (mutant.statement.text, mutant.text):
            copy = apsw.Connection(":memory:")
            copy.deserialize("main", bytes(image))
            share(copy, account_sid, twin_sid)
            outcomes.append(_outcome(copy, sql, arguments))
            copy.close()
        if outcomes[0] != outcomes[1]:
            return True
    return False


def _move(copy: apsw.Connection, account_sid: str, twin_sid: str) -> None:
    """Move every row of an account to another one instead."""
    for (table,) in copy.execute(_TABLES).fetchall():
        if table not in _NOT_COPIED:
            moved = f"UPDATE {table} SET account_sid = ?1 WHERE account_sid = ?2"
            copy.execute(moved, (twin_sid, account_sid))


def _double(copy: apsw.Connection, account_sid: str, twin_sid: str, number: str = "{}") -> None:
    """Duplicate every row of an account for another one; ``number`` replaces their numbers."""
    for (table,) in copy.execute(_TABLES).fetchall():
        if table in _NOT_COPIED:
            continue
        columns = [row[1] for row in copy.execute(f"PRAGMA table_info({table})")]
        taken = ", ".join(
            "?1" if name == "account_sid" else _copied(table, name, number) for name in columns
        )
        copy.execute(
            f"INSERT INTO {table} SELECT {taken} FROM {table} WHERE account_sid = ?2",
            (twin_sid, account_sid),
        )


def _copied(table: str, column: str, number: str) -> str:
    """Return the expression of a column in the twin's copy of a row."""
    if (table, column) in _CHANGED:
        return f"{column} || ' of the twin'"
    return (number if _ORDER.search(column) else "{}").format(column)


def _double_earlier(copy: apsw.Connection, account_sid: str, twin_sid: str) -> None:
    """The same, but the other account's rows are always a little earlier."""
    _double(copy, account_sid, twin_sid, "{} - 1")


def _outcome(copy: apsw.Connection, sql: str, arguments: tuple[object, ...]) -> Any:
    """Return a statement's result, and every row afterwards."""
    try:
        given = copy.execute(for_sqlite(sql), arguments).fetchall()
    except apsw.ConstraintError as error:
        return str(error)
    if sql.lstrip().startswith(("SELECT", "WITH")):
        return given
    tables = [table for (table,) in copy.execute(_TABLES).fetchall()]
    return {
        table: copy.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in tables
    }
