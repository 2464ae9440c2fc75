"""The power-loss harness on a migration without a transaction: it must report it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import pytest

from parlour.store.dialect import SQLITE, in_dialect
from parlour.store.migrations import migrations
from parlour.store.sqlite.engine import SqliteStore
from parlour.store.transaction import DatabaseError
from tests.crash.recorded_server import record_first_start
from tests.crash.test_power_loss import cut

if TYPE_CHECKING:
    from pathlib import Path


def migrate_without_transaction(self: SqliteStore) -> None:
    """Run every migration, with a commit after each statement."""
    self._writer.execute("CREATE TABLE IF NOT EXISTS migration (name TEXT NOT NULL PRIMARY KEY)")
    for migration in migrations():
        self._writer.execute(in_dialect(migration.text, SQLITE))
        self._writer.execute("INSERT INTO migration (name) VALUES (?)", (migration.name,))


def test_migration_without_a_transaction_is_reported(tmp_path: Path) -> None:
    with mock.patch.object(SqliteStore, "_migrate", migrate_without_transaction):
        record = record_first_start(tmp_path)

    with pytest.raises(DatabaseError, match="already exists"):
        cut(record, survivals=1, seed=1)
