"""The schema on PostgreSQL: the same migrations as on SQLite, under an advisory lock.

**Row-level security** is a second check behind the conditions of the statements. Every table with
an account has a policy: a transaction that names an account (``SET LOCAL parlour.account``) reads
and writes rows of that account only, regardless of its statements. The policy applies to the owner
of the tables too (FORCE), but not to a superuser, so the role of the server should not be one. A
session that names no account sees no rows; work for all accounts names ``*``.
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
"""The key of the advisory lock that a node holds while it applies migrations."""

LOCK: Final = "SELECT pg_advisory_lock($1)"
UNLOCK: Final = "SELECT pg_advisory_unlock($1)"
MIGRATION_TABLE: Final = """
CREATE TABLE IF NOT EXISTS migration (name TEXT COLLATE "C" NOT NULL PRIMARY KEY)
"""
APPLIED: Final = "SELECT name FROM migration"
RECORD: Final = "INSERT INTO migration (name) VALUES ($1)"
ENCODING: Final = "SHOW server_encoding"
HAS_SCHEMA: Final = "SELECT to_regclass('migration') IS NOT NULL"


# Every table with an account that has no policy yet, so that a migration cannot omit it.
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

# Analyze after 2 % of the rows have changed, vacuum after 5 %. With the defaults, a fifth of a
# large table would be dead rows first. Options that an operator has set are not changed.
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
    """The database cannot store Parlour's data: wrong encoding or missing privileges."""


def no_connection(url: str, error: Exception) -> Unavailable:
    """Return the error for a database that cannot be connected to, with its address."""
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
    """Apply migrations; nodes that start at the same time wait for the advisory lock.

    Raises UnfitDatabaseError.
    """
    try:
        await _migrate(connection)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError) as error:
        # Such as after a restore by a superuser, who then owns the tables.
        text = f"{error}; the role of the URL has to own the database and its tables"
        raise UnfitDatabaseError(text) from error


async def _migrate(connection: Connection[Any]) -> None:
    # Text is compared by bytes and may hold any Unicode character.
    encoding = await connection.fetchval(ENCODING)
    if encoding != "UTF8":
        raise UnfitDatabaseError(f"the database is encoded as {encoding}; it has to be UTF8")
    await connection.fetchval(LOCK, MIGRATING)
    try:
        await connection.execute(MIGRATION_TABLE)
        applied = {row[0] for row in await connection.fetch(APPLIED)}
        for migration in migrations():
            if migration.name in applied:
                continue
            # DDL is transactional: a migration and its record are applied together or not at all.
            async with connection.transaction():
                await connection.execute(in_dialect(migration.text, POSTGRES))
                await connection.execute(RECORD, migration.name)
        await connection.execute(ENABLE_ROW_SECURITY)
        await connection.execute(TUNE_AUTOVACUUM)
    finally:
        await connection.fetchval(UNLOCK, MIGRATING)
