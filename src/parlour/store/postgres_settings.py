"""What a PostgreSQL server is set to, as far as what it promises depends on it."""

from __future__ import annotations

from typing import Final, NamedTuple

from parlour.store.connections import REFUSED, connect
from parlour.store.transaction import Unavailable

NAMES: Final = ("fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names")
SETTINGS: Final = "SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])"
ROLE: Final = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"


class DatabaseSettings(NamedTuple):
    """The settings by name, and whether the role is held by no policy."""

    values: dict[str, str]
    passes_policies: bool


async def read_settings(url: str) -> DatabaseSettings:
    """Ask the database. Raises ``Unavailable``."""
    try:
        connection = await connect(url)
    except REFUSED as error:
        raise Unavailable(str(error)) from error
    try:
        values = dict(await connection.fetch(SETTINGS, NAMES))
        return DatabaseSettings(values, bool(await connection.fetchval(ROLE)))
    finally:
        await connection.close()
