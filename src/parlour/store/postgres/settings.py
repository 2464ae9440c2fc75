"""Settings of a PostgreSQL server on which durability and row-level security depend."""

from __future__ import annotations

from typing import Final, NamedTuple

from parlour.store.master_key import FETCH as FETCH_FINGERPRINT
from parlour.store.postgres.connections import REFUSED, connect
from parlour.store.transaction import Unavailable

NAMES: Final = ("fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names")
SETTINGS: Final = "SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])"
ROLE: Final = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"

# NULL if the table does not exist.
MAY_READ_KEY: Final = "SELECT has_table_privilege(to_regclass('public.master_key'), 'SELECT')"


UNUSED_OPERATORS: Final = """
SELECT sid, name FROM operator WHERE date_revoked IS NULL AND GREATEST(last_used, date_created) < $1
 ORDER BY name LIMIT 100
"""
HAS_OPERATORS: Final = "SELECT has_table_privilege(to_regclass('public.operator'), 'SELECT')"


class DatabaseSettings(NamedTuple):
    """Settings by name, whether the role bypasses row-level security, and the key's fingerprint."""

    values: dict[str, str]
    passes_policies: bool
    key_fingerprint: str = ""


async def read_settings(url: str) -> DatabaseSettings:
    """Read the settings of the server. Raises ``Unavailable``."""
    try:
        connection = await connect(url)
    except REFUSED as error:
        raise Unavailable(str(error)) from error
    try:
        values = dict(await connection.fetch(SETTINGS, NAMES))
        passes_policies = bool(await connection.fetchval(ROLE))
        fingerprint = ""
        if await connection.fetchval(MAY_READ_KEY):
            fingerprint = await connection.fetchval(FETCH_FINGERPRINT) or ""
        return DatabaseSettings(values, passes_policies, fingerprint)
    finally:
        await connection.close()


async def read_unused_operators(url: str, before_ms: int) -> list[tuple[str, str]]:
    """Return SID and name of operators without use since then. Raises ``Unavailable``."""
    try:
        connection = await connect(url)
    except REFUSED as error:
        raise Unavailable(str(error)) from error
    try:
        if not await connection.fetchval(HAS_OPERATORS):
            return []
        return [(sid, name) for sid, name in await connection.fetch(UNUSED_OPERATORS, before_ms)]
    finally:
        await connection.close()
