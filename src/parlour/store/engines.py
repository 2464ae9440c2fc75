"""The choice of the engine: PostgreSQL for a database URL, else SQLite in the data folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.setting_checks import without_password
from parlour.store.master_key import open_vault
from parlour.store.private_files import create_private_database
from parlour.store.sqlite.engine import SqliteStore
from parlour.store.transaction import DatabaseError
from parlour.vocabulary.clock import SystemRandom

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random

DATABASE_NAME: Final = "parlour.sqlite3"
_SCHEMES: Final = ("postgresql://", "postgres://")
_NO_DATABASE: Final = "a database is given as postgresql://user@host/name"


class UnknownDatabaseError(DatabaseError):
    """No engine exists for the scheme of the database URL."""


def is_postgres(url: str) -> bool:
    """Return whether a URL is of a PostgreSQL database."""
    return url.startswith(_SCHEMES)


def make_store(
    url: str,
    data: Path,
    clock: Clock,
    random: Random,
    *,
    connections: int,
    is_durable: bool = True,
) -> Store:
    """Return the engine for a URL; without one, SQLite in the data folder.

    ``is_durable`` is false in test mode: SQLite does not wait for the disk.
    """
    if not url:
        path = data / DATABASE_NAME
        try:
            create_private_database(path)
        except OSError as error:
            raise DatabaseError(f"{path}: {error.strerror}") from error
        if is_durable:
            return SqliteStore(path, clock, random)
        return SqliteStore(path, clock, random, synchronous="OFF")
    if is_postgres(url):
        # Imported on demand: the driver is slow to load, and most servers do not use it.
        from parlour.store.postgres.engine import PostgresStore  # noqa: PLC0415

        return PostgresStore(url, clock, random, connections=connections)
    raise UnknownDatabaseError(_NO_DATABASE)


async def open_store(
    url: str, data: Path, clock: Clock, random: Random, *, connections: int, is_durable: bool
) -> tuple[Store, Vault]:
    """Return the engine, started, and the vault of its key. Closes the engine after an error."""
    store = make_store(url, data, clock, random, connections=connections, is_durable=is_durable)
    try:
        await store.start()
        vault = await open_vault(store, data, SystemRandom(), describe_database(url, data))
    except BaseException:
        await store.close()
        raise
    return store, vault


async def database_exists(url: str, data: Path) -> bool:
    """Return whether there is a database with Parlour's tables; creates nothing.

    Raises UnknownDatabaseError, and Unavailable without a connection.
    """
    if not url:
        return (data / DATABASE_NAME).exists()
    if is_postgres(url):
        from parlour.store.postgres.schema import has_schema  # noqa: PLC0415 - as above.

        return await has_schema(url)
    raise UnknownDatabaseError(_NO_DATABASE)


def describe_database(url: str, data: Path) -> str:
    """Return the name of the database for messages, without a password."""
    return without_password(url) if url else str((data / DATABASE_NAME).absolute())
