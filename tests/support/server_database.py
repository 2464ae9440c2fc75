"""Direct access to a running server's database, for rows that no operation reads or writes."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import asyncpg

from tests.support.postgres_server import as_superuser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.support.server import Server

BUSY_SECONDS = 10.0
_PLACE = re.compile(r"\?(\d*)|(?<!:):(\w+)")


def seed_push_binding(
    server: Server, account_sid: str, service_sid: str, identity: str, binding_type: str = "fcm"
) -> str:
    """Insert a push binding, as a client SDK would register it; return its sid."""
    now_ms = int(time.time() * 1000)
    sid = f"BS{secrets.token_hex(16)}"
    row: dict[str, Any] = {
        "account_sid": account_sid,
        "service_sid": service_sid,
        "sid": sid,
        "sequence": time.time_ns() // 1000,
        "identity": identity,
        "endpoint": f"{identity}-endpoint",
        "address": secrets.token_hex(8),
        "binding_type": binding_type,
        "credential_sid": f"CR{secrets.token_hex(16)}",
        "message_types": json.dumps(["new_message", "added_to_conversation"]),
        "date_created": now_ms,
        "date_updated": now_ms,
    }
    names = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    with closing(connect(server)) as connection, connection:
        connection.execute(f"INSERT INTO push_binding ({names}) VALUES ({places})", row)
    return sid


def events(server: Server, account_sid: str, conversation_sid: str) -> list[tuple[str, bool]]:
    """Return name and whether it fires webhooks, of each event of a conversation, in order."""
    with closing(connect(server)) as connection:
        rows = connection.execute(
            "SELECT name, fires FROM event WHERE account_sid = ? AND conversation_sid = ?"
            " ORDER BY sequence",
            (account_sid, conversation_sid),
        ).fetchall()
    return [(name, bool(fires)) for name, fires in rows]


class StatementResult(NamedTuple):
    """The result of a statement."""

    rows: list[Any]
    rowcount: int
    description: tuple[tuple[str], ...]

    def fetchall(self) -> list[Any]:
        """Return all rows."""
        return self.rows

    def fetchone(self) -> Any:
        """Return the first row, or None."""
        return self.rows[0] if self.rows else None

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the rows."""
        return iter(self.rows)


class PostgresConnection:
    """A connection to PostgreSQL with the few methods of sqlite3's that the tests use."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(asyncpg.connect(url))

    def execute(self, sql: str, arguments: Any = ()) -> StatementResult:
        """Run one statement with parameters in sqlite3's syntax."""
        return self._loop.run_until_complete(self._execute(sql, arguments))

    async def _execute(self, sql: str, arguments: Any) -> StatementResult:
        text, names = _in_dialect(sql)
        try:
            statement = await self._connection.prepare(text)
        except asyncpg.PostgresError as error:
            error.add_note(text)
            raise
        rows = [tuple(row) for row in await statement.fetch(*_values(names, arguments))]
        count = statement.get_statusmsg().rpartition(" ")[2]
        described = tuple((each.name,) for each in statement.get_attributes())
        return StatementResult(rows, int(count) if count.isdigit() else -1, described)

    def executemany(self, sql: str, many: Iterable[Any]) -> None:
        """Run one statement for each set of parameters."""
        text, names = _in_dialect(sql)
        values = [_values(names, each) for each in many]
        self._loop.run_until_complete(self._connection.executemany(text, values))

    def __enter__(self) -> Self:
        """Do nothing: every statement is a separate transaction."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: every statement has been committed."""

    def close(self) -> None:
        """Close the connection."""
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()


def _in_dialect(sql: str) -> tuple[str, list[str]]:
    """Return the statement in PostgreSQL's syntax, and the parameter of each placeholder."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        number, name = found.groups()
        names.append(name or (str(int(number) - 1) if number else str(len(names))))
        return f"${len(names)}"

    return _PLACE.sub(place, sql), names


def _values(names: list[str], arguments: Any) -> list[Any]:
    """Return the parameters in the order of their placeholders."""
    is_named = isinstance(arguments, Mapping)
    return [arguments[name if is_named else int(name)] for name in names]


def connect(server: Server) -> Any:
    """Return a connection next to the server's, for the engine in use."""
    if server.database:
        return PostgresConnection(as_superuser(server.database))
    return sqlite3.connect(_database(server.data_dir), timeout=BUSY_SECONDS)


def tables(server: Server) -> list[str]:
    """Return the names of all tables."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    if server.database:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    with closing(connect(server)) as connection:
        return [name for (name,) in connection.execute(query).fetchall()]


def columns(server: Server, table: str) -> list[str]:
    """Return the names of a table's columns, in their order."""
    with closing(connect(server)) as connection:
        found = connection.execute(f"SELECT * FROM {table} LIMIT 0")
        return [name for name, *_ in found.description]


def _database(data_dir: Path) -> Path:
    found = [path for path in data_dir.iterdir() if _is_database(path)]
    assert len(found) == 1, f"One database expected in {data_dir}: {found}"
    return found[0]


def _is_database(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as start:
        return start.read(16) == b"SQLite format 3\0"
