"""Tables on PostgreSQL are analysed and cleaned early, unless an operator set something else."""

from __future__ import annotations

import asyncio

import asyncpg

from parlour.store.postgres.engine import PostgresStore
from parlour.vocabulary.clock import SystemClock, SystemRandom
from tests.support.postgres_server import shared

OPTIONS = (
    "SELECT relname, reloptions FROM pg_class WHERE relkind = 'r'"
    " AND relnamespace = 'public'::regnamespace"
)
SET_BY_OPERATOR = "autovacuum_analyze_scale_factor=0.5"


async def _start_and_stop(url: str) -> None:
    store = PostgresStore(url, SystemClock(), SystemRandom(), connections=2)
    await store.start()
    await store.close()


async def _options() -> dict[str, list[str] | None]:
    url = shared().make_database()
    await _start_and_stop(url)
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER TABLE message RESET (autovacuum_analyze_scale_factor)")
    await connection.execute(f"ALTER TABLE receipt SET ({SET_BY_OPERATOR})")
    await _start_and_stop(url)
    found = {row[0]: row[1] for row in await connection.fetch(OPTIONS)}
    await connection.close()
    return found


def test_autovacuum_is_tuned_and_an_operators_options_are_preserved() -> None:
    options = asyncio.run(_options())
    assert len(options) > 20
    assert SET_BY_OPERATOR in (options["receipt"] or [])
    for table, named in options.items():
        assert any("autovacuum_vacuum_scale_factor" in each for each in named or []), table
