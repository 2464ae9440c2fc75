"""Every statement of the program is one that PostgreSQL understands, on the schema it has."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import re
from typing import TYPE_CHECKING

import asyncpg
import pytest

import parlour
from parlour.store.postgres.batching import batched
from parlour.store.postgres.engine import PostgresStore
from parlour.store.statements import Window
from parlour.store.table import AnyTable
from parlour.vocabulary.clock import SystemClock, SystemRandom
from tests.support.postgres_server import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

_SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s")
_EMBEDDED = re.compile(
    r"parlour\.(__main__|testmode\.(reset|snapshots)|store\.(sqlite|maintenance\.move))"
)
"""Statements of the SQLite engine or of a new database, and what runs when it is imported."""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str) and _SQL.match(value):
        yield value
    elif isinstance(value, AnyTable):
        yield from value.statements.values()
    elif isinstance(value, Window):
        yield from (value.first, value.forward, value.backward)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))


def statements() -> dict[str, str]:
    """Each statement, by a place of its definition."""
    found: dict[str, str] = {}
    for module in pkgutil.walk_packages(parlour.__path__, "parlour."):
        if _EMBEDDED.match(module.name):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            for text in _texts(value):
                if "{" not in text:
                    found.setdefault(text, f"{module.name}.{name}")
    return found


@pytest.mark.timeout(120)
def test_every_statement_can_be_prepared_single_and_batched() -> None:
    url = shared().make_database()

    async def refused() -> list[str]:
        store = PostgresStore(url, SystemClock(), SystemRandom(), connections=2)
        await store.start()
        await store.close()
        connection = await asyncpg.connect(url, statement_cache_size=0)
        found = []
        for text, place in statements().items():
            try:
                prepared = await connection.prepare(text)
                types = [each.name for each in prepared.get_parameters()]
                if (together := batched(text, types)) is not None:
                    await connection.prepare(together.text)
            except asyncpg.PostgresError as error:
                found.append(f"{place}: {error}")
        await connection.close()
        return found

    assert len(statements()) > 200
    assert not asyncio.run(refused())
