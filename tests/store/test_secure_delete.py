"""Deleted content is overwritten in the file of the embedded database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary.clock import SystemClock, SystemRandom

if TYPE_CHECKING:
    from pathlib import Path

    from parlour.store.transaction import Transaction

SAVE = "INSERT INTO sink_position (sink, sequence) VALUES ($1, $2)"
CHANGE = "UPDATE sink_position SET sink = $2 WHERE sink = $1"
DELETE = "DELETE FROM sink_position WHERE sink LIKE 'deleted%'"
ROWS = 40


async def _fill_and_delete(path: Path) -> None:
    store = SqliteStore(path, SystemClock(), SystemRandom())

    async def fill(tx: Transaction) -> None:
        for number in range(ROWS):
            # Some share a page with others, some are longer than a page.
            for size in (50, 9_000):
                await tx.run(SAVE, f"deleted-{number}-{size}-" + "hidden" * size, 1)
            await tx.run(SAVE, f"changed-{number}-hidden", 1)
            await tx.run(SAVE, f"kept-{number}", 1)

    async def delete(tx: Transaction) -> None:
        for number in range(ROWS):
            await tx.run(CHANGE, f"changed-{number}-hidden", f"changed-{number}")
        assert await tx.run(DELETE) == 2 * ROWS

    await store.write(fill)
    await store.write(delete)
    await store.close()


def test_deleted_and_replaced_values_are_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p.sqlite"
    asyncio.run(_fill_and_delete(path))
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name]
    content = path.read_bytes()
    assert content.count(b"kept-") >= ROWS
    assert content.count(b"hidden") == 0
