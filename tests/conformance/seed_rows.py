"""Rows that no operation of this API creates: media, content templates, push bindings."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.support.seeded_blobs import write_zeros
from tests.support.server_database import connect, seed_push_binding

if TYPE_CHECKING:
    from tests.support.server import Server

__all__ = ["seed_content_template", "seed_media", "seed_push_binding"]


def seed_media(server: Server, account_sid: str, service_sid: str, filename: str | None) -> str:
    """Insert an uploaded medium without a message; return its SID."""
    size = 42_056
    row = {
        "service_sid": service_sid,
        "message_sid": None,
        "size": size,
        "content_type": "image/jpeg",
        "filename": filename,
        "category": "media",
        "author": None,
    }
    sid = _seed(server, "media", account_sid, f"ME{secrets.token_hex(16)}", row)
    write_zeros(server.data_dir, account_sid, sid, size)
    return sid


def seed_content_template(server: Server, account_sid: str, body: str) -> str:
    """Insert a content template of an account; return its SID."""
    row = {"friendly_name": "greeting", "body": body}
    return _seed(server, "content_template", account_sid, f"HX{secrets.token_hex(16)}", row)


def _seed(server: Server, table: str, account_sid: str, sid: str, row: dict[str, Any]) -> str:
    now_ms = int(time.time() * 1000)
    whole = {
        "account_sid": account_sid,
        "sid": sid,
        "date_created": now_ms,
        "date_updated": now_ms,
    } | row
    names, places = ", ".join(whole), ", ".join(f":{name}" for name in whole)
    with closing(connect(server)) as connection, connection:
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", whole)
    return sid
