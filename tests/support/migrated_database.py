"""An SQLite database with Parlour's tables, in a fraction of the time of the migrations."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from parlour.store.engines import DATABASE_NAME
from parlour.store.private_files import create_private_database
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary.clock import SystemClock, SystemRandom


def place_migrated_database(data: Path) -> None:
    """Write the database of a data folder, unless there is one."""
    path = data / DATABASE_NAME
    if path.exists():
        return
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_private_database(path)
    path.write_bytes(_content())


@cache
def _content() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / DATABASE_NAME
        with ThreadPoolExecutor(1) as thread:  # An event loop may run in this one.
            thread.submit(asyncio.run, _create(path)).result()
        return path.read_bytes()


async def _create(path: Path) -> None:
    await SqliteStore(path, SystemClock(), SystemRandom(), synchronous="OFF").close()
