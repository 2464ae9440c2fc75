"""The SQLite engine while another process writes: the command line during a server."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest

from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary.clock import FakeClock, SystemRandom
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction

pytestmark = pytest.mark.embedded

SCOPE = Scope("AC" + "0" * 32)
SECONDS_MAX = 20


async def append(tx: Transaction) -> int:
    """Write one event."""
    return await tx.emit(SCOPE, "made", subject_sid="CH" + "0" * 32, payload=1)


def opened(path: Path) -> SqliteStore:
    """Return a store as another process opens it on the same file."""
    return SqliteStore(path, FakeClock(), SystemRandom(), synchronous="OFF")


def test_first_change_of_a_store_succeeds_after_another_process_has_written(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        server = opened(tmp_path / "db")
        await server.write(append)
        command = opened(tmp_path / "db")
        # The command has read the end of the log; its snapshot must not outlive that.
        await server.write(append)
        async with asyncio.timeout(SECONDS_MAX):
            await command.write(append)
        await command.close()
        await server.close()

    asyncio.run(scenario())


def test_a_current_database_is_opened_while_another_process_holds_the_write_lock(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        server = opened(tmp_path / "db")
        await server.write(append)
        # Not by sqlite3: two copies of the library in one process do not see each other's locks.
        with closing(apsw.Connection(str(tmp_path / "db"))) as other:
            other.execute("BEGIN IMMEDIATE")
            command = opened(tmp_path / "db")
            changed = asyncio.ensure_future(command.write(append))
            await asyncio.sleep(0)
            other.execute("ROLLBACK")
        async with asyncio.timeout(SECONDS_MAX):
            await changed
        await command.close()
        await server.close()

    asyncio.run(scenario())
