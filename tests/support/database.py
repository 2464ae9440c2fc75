"""A running server's database: reads what no operation shows, writes what none can make."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import Server

BUSY_SECONDS = 10.0


def seed_push_binding(
    server: Server, account_sid: str, service_sid: str, identity: str, binding_type: str = "fcm"
) -> str:
    """A push binding, as a client SDK would register it; gives its sid."""
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
    """Name and whether it may fire webhooks, of each event of a conversation, in order."""
    with closing(connect(server)) as connection:
        rows = connection.execute(
            "SELECT name, fires FROM event WHERE account_sid = ? AND conversation_sid = ?"
            " ORDER BY sequence",
            (account_sid, conversation_sid),
        ).fetchall()
    return [(name, bool(fires)) for name, fires in rows]


def connect(server: Server) -> sqlite3.Connection:
    """A connection beside the server's own."""
    return sqlite3.connect(_database(server.data_dir), timeout=BUSY_SECONDS)


def _database(data_dir: Path) -> Path:
    found = [path for path in data_dir.iterdir() if _is_database(path)]
    assert len(found) == 1, f"One database expected in {data_dir}: {found}"
    return found[0]


def _is_database(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as start:
        return start.read(16) == b"SQLite format 3\0"
