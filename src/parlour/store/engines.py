"""Which engine keeps what: a URL names a PostgreSQL database, and nothing the embedded one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.store.sqlite import SqliteStore
from parlour.store.transaction import DatabaseError

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random

DATABASE_NAME: Final = "parlour.sqlite3"
_SCHEMES: Final = ("postgresql://", "postgres://")


class UnknownDatabaseError(DatabaseError):
    """The setting names no database that an engine exists for."""


def is_postgres(url: str) -> bool:
    """Whether a URL names a PostgreSQL database."""
    return url.startswith(_SCHEMES)


def make_store(url: str, data: Path, clock: Clock, random: Random, *, connections: int) -> Store:
    """The engine for a URL; without one, SQLite in the data folder."""
    if not url:
        return SqliteStore(data / DATABASE_NAME, clock, random)
    if is_postgres(url):
        # Its driver is slow to load, and most servers never need it.
        from parlour.store.postgres import PostgresStore  # noqa: PLC0415

        return PostgresStore(url, clock, random, connections=connections)
    raise UnknownDatabaseError("a database is given as postgresql://user@host/name")
