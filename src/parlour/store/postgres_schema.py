"""The schema on PostgreSQL: the same migrations, under a lock that only one node holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.store.dialect import POSTGRES, in_dialect
from parlour.store.migrations import migrations

if TYPE_CHECKING:
    from asyncpg import Connection

MIGRATING: Final = 7_231_690_114_907
"""The key of the advisory lock that a node holds while it migrates."""

LOCK: Final = "SELECT pg_advisory_lock($1)"
UNLOCK: Final = "SELECT pg_advisory_unlock($1)"
NAMES: Final = """
CREATE TABLE IF NOT EXISTS migration (name TEXT COLLATE "C" NOT NULL PRIMARY KEY)
"""
KNOWN: Final = "SELECT name FROM migration"
NOTE: Final = "INSERT INTO migration (name) VALUES ($1)"
ENCODING: Final = "SHOW server_encoding"


class UnfitDatabaseError(Exception):
    """The database cannot hold what it is asked to."""


async def migrate(connection: Connection[Any]) -> None:
    """Bring the schema up to date; other nodes that start meanwhile wait their turn."""
    encoding = await connection.fetchval(ENCODING)
    if encoding != "UTF8":
        raise UnfitDatabaseError(f"the database is encoded as {encoding}; it has to be UTF8")
    await connection.fetchval(LOCK, MIGRATING)
    try:
        await connection.execute(NAMES)
        known = {row[0] for row in await connection.fetch(KNOWN)}
        for migration in migrations():
            if migration.name in known:
                continue
            async with connection.transaction():
                await connection.execute(in_dialect(migration.text, POSTGRES))
                await connection.execute(NOTE, migration.name)
    finally:
        await connection.fetchval(UNLOCK, MIGRATING)
