"""The schema on PostgreSQL: the same migrations, under a lock that only one node holds.

Behind the conditions of the statements stands a second wall. Every table of tenants has row-level
security: a transaction that names an account (``SET LOCAL parlour.account``) sees and writes rows
of that account alone, whatever its statements say. It holds for the owner of the tables too, but
not for a superuser, so the server should not be one. A session that names nothing sees nothing;
the server's own work for all accounts names ``*``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from parlour.setting_checks import without_password
from parlour.store.dialect import POSTGRES, in_dialect
from parlour.store.migrations import migrations
from parlour.store.postgres.connections import REFUSED, connect
from parlour.store.transaction import DatabaseError, Unavailable

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
HAS_SCHEMA: Final = "SELECT to_regclass('migration') IS NOT NULL"


# Each table with an account that is not walled in yet: so none that a migration adds is forgotten.
ENABLE_ROW_SECURITY: Final = """
DO $$
DECLARE
    named record;
BEGIN
    FOR named IN
        SELECT columns.table_name, columns.column_name FROM information_schema.columns
          JOIN pg_class ON pg_class.oid = format('%I', columns.table_name)::regclass
         WHERE columns.table_schema = 'public' AND pg_class.relkind = 'r'
           AND (columns.column_name = 'account_sid'
                OR columns.table_name = 'account' AND columns.column_name = 'sid')
           AND NOT pg_class.relforcerowsecurity
         ORDER BY columns.table_name
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', named.table_name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', named.table_name);
        EXECUTE format(
            'CREATE POLICY tenant ON %I USING (current_setting(''parlour.account'', true)'
            ' IN (''*'', %I))', named.table_name, named.column_name);
    END LOOP;
END
$$
"""

# A table is analysed after every fiftieth row has changed, and cleaned after every twentieth. With
# the defaults, a fifth of a large table would be dead rows first. What an operator set stays.
TUNE_AUTOVACUUM: Final = """
DO $$
DECLARE
    named record;
BEGIN
    FOR named IN
        SELECT relname FROM pg_class
         WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reloptions IS NULL
         ORDER BY relname
    LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_analyze_scale_factor = 0.02,'
            ' autovacuum_vacuum_scale_factor = 0.05,'
            ' autovacuum_vacuum_insert_scale_factor = 0.05)', named.relname);
    END LOOP;
END
$$
"""


class UnfitDatabaseError(DatabaseError):
    """The database cannot hold what it is asked to."""


def no_connection(url: str, error: Exception) -> Unavailable:
    """Return the error for a database that takes no connection, with its address."""
    return Unavailable(f"no connection to {without_password(url)}: {error}")


async def has_schema(url: str) -> bool:
    """Return whether Parlour's tables are in the database of a URL. Raises Unavailable."""
    try:
        connection = await connect(url)
    except REFUSED as error:
        raise no_connection(url, error) from error
    try:
        return bool(await connection.fetchval(HAS_SCHEMA))
    finally:
        await connection.close()


async def migrate(connection: Connection[Any]) -> None:
    """Bring the schema up to date; other nodes that start meanwhile wait their turn.

    Raises UnfitDatabaseError.
    """
    try:
        await _migrate(connection)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError) as error:
        # Such as after a restore by a superuser, who then owns the tables.
        text = f"{error}; the role of the URL has to own the database and its tables"
        raise UnfitDatabaseError(text) from error


async def _migrate(connection: Connection[Any]) -> None:
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
        await connection.execute(ENABLE_ROW_SECURITY)
        await connection.execute(TUNE_AUTOVACUUM)
    finally:
        await connection.fetchval(UNLOCK, MIGRATING)
