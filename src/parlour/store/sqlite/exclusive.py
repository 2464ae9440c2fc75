"""What a function gets that has the writer's connection for itself (``SqliteStore.exclusively``).

It works on whole tables, across accounts, and with databases attached to the connection: things
that the transaction of an action does not offer, and that no action of the API needs.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from parlour.store.sqlite.transaction import drive
from parlour.store.transaction import Unavailable
from parlour.vocabulary.origin import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.store.settings_cache import SettingsCache
    from parlour.store.sqlite.transaction import SqliteWriteTransaction
    from parlour.store.transaction import Row, Transaction, Work

T = TypeVar("T")


class ExclusiveAccess:
    """The connection of the writer, which is in no transaction and used by nothing else."""

    def __init__(
        self,
        connection: apsw.Connection,
        write_tx: SqliteWriteTransaction,
        settings_cache: SettingsCache,
    ) -> None:
        self._connection = connection
        self._write_tx = write_tx
        self._settings_cache = settings_cache

    def run(self, sql: str, *arguments: object) -> list[Row]:
        """Run a statement in SQLite's dialect; return its rows."""
        rows: list[Row] = self._connection.execute(sql, arguments).fetchall()
        return rows

    def act(self, work: Work[T]) -> T:
        """Run an action in the open transaction; return its result."""
        self._write_tx.begin_action(SILENT, is_dry_run=False)
        result: T = drive(work(self._write_tx))
        return result

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block changes, or roll it back after an error. Raises Unavailable."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError as error:
            raise Unavailable(str(error)) from error
        self._settings_cache.begin_change()
        self._write_tx.begin_group()
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._settings_cache.end_change()


def quoted(name: str) -> str:
    """Return a name of the schema as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def rows_of(access: ExclusiveAccess, sql: str, *arguments: object) -> list[Any]:
    """Return the first column of each row."""
    return [row[0] for row in access.run(sql, *arguments)]


async def do_nothing(_tx: Transaction) -> None:
    """Do nothing: an action whose end shows that earlier ones are committed."""


def is_sid_taken(error: Exception | None) -> bool:
    """Return whether an action failed because a new row has the SID of another one."""
    return isinstance(error, apsw.ConstraintError) and str(error).endswith(".sid")
