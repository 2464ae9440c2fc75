"""No statement reads the rows of a whole account, or service, to find a few of them.

The plan of every statement is read, on both engines, in a store with one large account. SQLite
is planned without statistics and with them, PostgreSQL after ANALYZE, with values and without.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import asyncpg
import pytest

from parlour.store.dialect import for_sqlite
from parlour.store.postgres.engine import PostgresStore
from parlour.store.sqlite.engine import SqliteStore
from parlour.vocabulary.clock import SystemClock, SystemRandom
from tests.store.plan_data import FEW, FEW_PER_ACCOUNT, ONE_PER_ACCOUNT, ROWS, argument, value
from tests.store.test_statements import statements
from tests.support.postgres_server import as_superuser, shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import apsw

BOUNDED: Final = ONE_PER_ACCOUNT | FEW_PER_ACCOUNT | FEW
DECLARED: Final = {
    "parlour.operations.purge.CAP": "as above; the table is short",
    "parlour.operations.purge.FREE_PAIRS": "it changes every row that it reads",
    "parlour.operations.purge._SINGLETONS": "it deletes every row that it reads",
    "parlour.resources.accounts.store.LIST_ACCOUNTS": "the command line's pages of all accounts",
    "parlour.resources.console_audit.store.FIRST_NUMBER": "the first row of the table",
    "parlour.resources.console_audit.store.LAST_NUMBER": "the last row of the table",
    "parlour.resources.console_audit.store.LIST_LINES": "operators filter a log of bounded length",
    "parlour.resources.console_sessions.store.DELETE_ENDING_WITH_PROCESS": "at a start",
    "parlour.resources.console_sessions.store.DELETE_OF_ACCOUNT": "it deletes all that it reads",
    "parlour.resources.inbox.store.MEASURE": "a metric, at intervals: only the waiting messages",
    "parlour.resources.media.garbage_collection.EXPIRE": "an index of media without a message",
    "parlour.resources.outbox.queue.CAP_DUE": "after the clock was set back; heads of lanes only",
    "parlour.testmode.seeds.store.HAS_CONTENT": "one row of an index is enough",
    "parlour.testmode.seeds.store.LIST_OF_ACCOUNT": "an export is a whole account",
    "parlour.store.event_log.OLDEST": "the first row of the table",
    "parlour.store.webhook_queue.COUNT_OF": "after a replay that was counted at a start or resync",
    "parlour.store.webhook_queue.COUNTS": "once, when a process begins to deliver",
    "parlour.store.webhook_queue.CAP_DUE": "after the clock was set back, or at a start",
    "parlour.testmode.accounts.store.LIST_ACCOUNTS": "pages of all accounts",
    "parlour.testmode.clock.clock_control.HAS_DATA": "the first row of each table",
    "parlour.testmode.settlement.due_rows.COUNT_DELIVERIES": "test mode: heads of lanes only",
    "parlour.testmode.settlement.due_rows.COUNT_SUBMISSIONS": "as above",
    "parlour.testmode.settlement.due_rows.NEXT_DELIVERY": "as above",
    "parlour.testmode.settlement.due_rows.NEXT_DELIVERY_OF": "as above",
    "parlour.testmode.settlement.due_rows.NEXT_SUBMISSION": "as above",
    "parlour.testmode.settlement.due_rows.NEXT_SUBMISSION_OF": "as above",
}
"""Statements that read more, and why they may: by the place of their definition."""

_POSTGRES_ONLY: Final = re.compile(
    r"pg_|extract\(|to_regclass|event_sequence_seq|hashtext|::|CREATE|SHOW|information_schema"
)
_PARAMETER: Final = re.compile(r"[$?]\d*")
_EMBEDDED_ONLY: Final = "parlour.testmode."
_OWNERS: Final = {"account_sid", "service_sid"}
_DETAIL: Final = re.compile(r"(SCAN|SEARCH) (\w+)(?: EXISTS)?(?: USING [^(]*)?(?: ?\((.*)\))?$")
_ALIAS: Final = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)\s+AS\s+(\w+)")
_COMPARED: Final = re.compile(r"(\w+) = \$(\d+)")
_PLANNING_COST: Final = 2.5  # For each relation: cached_plan_cost() in PostgreSQL's plancache.c.
_COLUMN: Final = re.compile(r"\b(\w+) ?(?:=|>|<|>=|<=|IN|\() ?")


class PlanProblem(NamedTuple):
    """What a statement does, as far as it is read."""

    place: str
    problem: str


def common_statements() -> Iterator[tuple[str, str]]:
    """Each statement of the program that both engines have, and its place."""
    for text, place in statements().items():
        if not _POSTGRES_ONLY.search(text) and not place.startswith("parlour.store.postgres."):
            yield text, place


def fill_sqlite(connection: apsw.Connection) -> set[str]:
    """Fill every table; gives their names."""
    named = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    tables = {str(row[0]) for row in connection.execute(named)}
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    for table in tables - FEW:
        columns = list(connection.execute(f"PRAGMA table_info({table})"))
        names = ", ".join(str(each[1]) for each in columns)
        values = ", ".join(
            value(table, str(each[1]), is_text=each[2] == "TEXT") for each in columns
        )
        connection.execute(
            "WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number"
            f" WHERE i < {ROWS}) INSERT OR IGNORE INTO {table} ({names})"
            f" SELECT {values} FROM number"
        )
    connection.execute("COMMIT")
    return tables


def sqlite_problems(connection: apsw.Connection, tables: set[str]) -> list[PlanProblem]:
    """The statements that read an account or a table."""
    found = []
    for text, place in common_statements():
        arguments = (None,) * len(set(_PARAMETER.findall(text)))
        rows = list(connection.execute("EXPLAIN QUERY PLAN " + for_sqlite(text), arguments))
        aliases = {alias: table for table, alias in _ALIAS.findall(text)}
        parents = [row[1] for row in rows if _DETAIL.match(str(row[3]))]
        sorts = any("TEMP B-TREE FOR ORDER BY" in str(row[3]) for row in rows)
        for _, parent, _, detail in rows:
            match = _DETAIL.match(str(detail))
            table = aliases.get(match[2], match[2]) if match else ""
            if match is None or table not in tables or table in BOUNDED:
                continue
            columns = set(_COLUMN.findall(match[3] or ""))
            # The first rows of an index, and no others that they are compared with.
            is_first = "LIMIT" in text and not sorts and parents.count(parent) == 1
            if columns <= _OWNERS and not (is_first and "INDEX" in str(detail)):
                found.append(PlanProblem(place, str(detail)))
    return found


async def fill_postgres(connection: asyncpg.Connection[Any]) -> set[str]:
    """Fill every table, and have its statistics; gives their names."""
    columns: dict[str, list[tuple[str, bool]]] = {}
    for table, column, kind in await connection.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY ordinal_position"
    ):
        columns.setdefault(table, []).append((column, kind == "text"))
    for table in columns.keys() - FEW:
        # A vacuum in the middle of the test would change costs, and plans with it.
        await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        names = ", ".join(name for name, _ in columns[table])
        values = ", ".join(value(table, name, is_text=text) for name, text in columns[table])
        await connection.execute(
            f"INSERT INTO {table} ({names}) SELECT {values}"
            f" FROM generate_series(1, {ROWS}) AS number(i) ON CONFLICT DO NOTHING"
        )
    await connection.execute("ANALYZE")
    return set(columns)


def _nodes(
    node: dict[str, Any], *, is_first: bool = False
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each node, and whether only its first rows are read."""
    kind = node["Node Type"]
    if kind == "Limit":
        is_first = True
    elif kind in {"Sort", "Incremental Sort", "Aggregate", "Hash", "Hash Join", "Nested Loop"}:
        is_first = False
    yield node, is_first
    for each in node.get("Plans", ()):
        yield from _nodes(each, is_first=is_first)


def _postgres_problem(plan: dict[str, Any], tables: set[str]) -> str | None:
    bitmap_of = ""
    for node, is_first in _nodes(plan):
        table = node.get("Relation Name", bitmap_of)
        bitmap_of = table if node["Node Type"] == "Bitmap Heap Scan" else ""
        if table not in tables or table in BOUNDED:
            continue
        if node["Node Type"] == "Seq Scan":
            return f"Seq Scan of {table}, {node.get('Filter')}"
        if "Index" in node["Node Type"]:
            columns = set(_COLUMN.findall(node.get("Index Cond", "")))
            if columns <= _OWNERS and not is_first:
                return f"{node['Node Type']} of {table}, {node.get('Index Cond')}"
    return None


async def postgres_problems(url: str) -> list[PlanProblem]:
    """The statements that read an account or a table."""
    store = PostgresStore(url, SystemClock(), SystemRandom(), connections=2)
    await store.start()
    await store.close()
    filling = await asyncpg.connect(as_superuser(url))
    tables = await fill_postgres(filling)
    await filling.close()
    connection = await asyncpg.connect(url, statement_cache_size=0)
    await connection.execute("SET parlour.account = 'ACbig'")
    found = []
    for text, place in common_statements():
        if place.startswith(_EMBEDDED_ONLY):
            continue
        plans = await _used_plans(connection, text)
        problems = (_postgres_problem(plan, tables) for plan in plans)
        found.extend(PlanProblem(place, problem) for problem in problems if problem)
    await connection.close()
    return found


async def _used_plans(connection: asyncpg.Connection[Any], text: str) -> list[dict[str, Any]]:
    """The plan for usual values; and that without values, where PostgreSQL would change to it.

    It does after five executions, unless the plans with values were cheaper on average.
    """
    kinds = [each.name for each in (await connection.prepare(text)).get_parameters()]
    await connection.execute(f"PREPARE asked AS {text}")
    compared = {int(number): column for column, number in _COMPARED.findall(text)}
    values = [argument(compared.get(at, ""), kind) for at, kind in enumerate(kinds, 1)]
    given = f"({', '.join(values)})" if values else ""
    plans = []
    for mode in ("force_custom_plan", "force_generic_plan"):
        await connection.execute(f"SET plan_cache_mode = {mode}")
        explained = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked{given}")
        plans.append(json.loads(explained)[0]["Plan"])
    await connection.execute("DEALLOCATE asked")
    custom, generic = plans
    planning = _PLANNING_COST * (1 + sum("Relation Name" in node for node, _ in _nodes(custom)))
    is_used = generic["Total Cost"] < custom["Total Cost"] + planning
    return plans if is_used else [custom]


def undeclared(found: list[PlanProblem]) -> list[str]:
    """What no reason was given for."""
    return [f"{place}: {problem}" for place, problem in found if place not in DECLARED]


@pytest.mark.timeout(120)
def test_no_statement_reads_a_whole_account_on_sqlite(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "p.sqlite", SystemClock(), SystemRandom())
    tables = fill_sqlite(store._writer)
    before = sqlite_problems(store._writer, tables)
    store._writer.set_busy_timeout(60_000)  # A checkpoint of the filled tables may still run.
    store._writer.execute("ANALYZE")
    after = sqlite_problems(store._writer, tables)
    asyncio.run(store.close())
    assert undeclared(before) == []
    assert undeclared(after) == []


@pytest.mark.timeout(120)
def test_no_statement_reads_a_whole_account_on_postgresql() -> None:
    assert undeclared(asyncio.run(postgres_problems(shared().make_database()))) == []


def test_declared_exceptions_are_statements_of_the_program() -> None:
    assert DECLARED.keys() <= set(statements().values())


def unnamed_indexes(connection: apsw.Connection, texts: Iterable[str]) -> list[str]:
    """The statements that fit a partial index, and one of the same columns for all rows.

    SQLite chooses by the average number of rows, and may read all of them: they name the index.
    """
    described = (
        "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND sql NOT NULL"
    )
    indexes: dict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = {}
    for name, table, created in connection.execute(described).fetchall():
        columns = tuple(row[2] for row in connection.execute(f"PRAGMA index_info({name})"))
        condition = str(created).partition(" WHERE ")[2]
        indexes.setdefault((table, columns), []).append((name, condition))
    twins = [each for each in indexes.values() if len(each) > 1 and "" in dict(each).values()]
    return [
        f"{name}: {text}"
        for each in twins
        for name, condition in each
        for text in texts
        if condition and condition in text and f"/* INDEXED BY {name} */" not in text
    ]


def test_a_statement_names_the_partial_one_of_two_indexes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "p.sqlite", SystemClock(), SystemRandom())
    texts = [text for text, _ in common_statements()]
    planted = [re.sub(r"/\* INDEXED BY \w+ \*/", "", text) for text in texts]
    found, found_if_planted = (unnamed_indexes(store._writer, each) for each in (texts, planted))
    asyncio.run(store.close())
    assert found == []
    assert [each.partition(":")[0] for each in found_if_planted] == ["participant_bound"]


# What deleted a conversation before: the receipts of the account, each compared with a message.
_OLD: Final = """
DELETE FROM receipt WHERE account_sid = $1 AND sid IN (
    SELECT receipt.sid FROM message JOIN receipt
        ON receipt.account_sid = $1 AND receipt.message_sid = message.sid
     WHERE message.account_sid = $1 AND message.conversation_sid = $2 LIMIT $3)
"""


@pytest.mark.parametrize(
    "text",
    [
        _OLD,
        "UPDATE participant SET holds_pair = 0 WHERE account_sid = $1 AND holds_pair = 1",
        "SELECT sid FROM message WHERE account_sid = $1 ORDER BY date_created LIMIT $2",
        "SELECT count(*) FROM event",
    ],
)
def test_a_statement_that_reads_an_account_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(
        sys.modules[__name__], "common_statements", lambda: iter([(text, "planted")])
    )
    store = SqliteStore(tmp_path / "p.sqlite", SystemClock(), SystemRandom())
    found = sqlite_problems(store._writer, fill_sqlite(store._writer))
    asyncio.run(store.close())
    assert undeclared(found) != []
