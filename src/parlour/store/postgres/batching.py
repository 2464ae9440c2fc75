"""Batched statements: one statement text that runs a statement for many sets of arguments.

Concurrent actions of a group (``group.py``) run the same statements with other arguments. The
arguments are sent as arrays, one for each ``$1``, ``$2`` …, and unnested on the server into rows
with the number of their set of arguments. So a hundred lookups cost one round trip and little
more than one lookup.

Each row is planned like the single statement: ``OFFSET 0`` keeps the planner from turning a
read into a join over the whole table.

Three shapes can be batched: any ``SELECT``; an ``INSERT`` of one row of parameters; an ``UPDATE``
without sub-queries. Other statements are run one by one.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.store.dialect import for_reading
from parlour.store.statements import statement

if TYPE_CHECKING:
    from collections.abc import Sequence

_PARAMETER = re.compile(r"\$(\d+)")
_SELECT = re.compile(r"\s*SELECT\s")
_INSERT = re.compile(r"\s*(INSERT INTO \w+ \([\w\s,]+\))\s*VALUES \(([$\d\s,]+)\)\s*")
_UPDATE = re.compile(
    r"\s*(UPDATE \w+\s+SET\s(?:(?!\b(?:FROM|SELECT|WHERE)\b).)+)"
    r"\bWHERE\s((?:(?!\b(?:SELECT|RETURNING)\b).)+)",
    re.DOTALL,
)

BATCHED_READ: Final = (
    "SELECT batch.number, found.* FROM {batch} CROSS JOIN LATERAL ({read}{fence}) AS found"
)
BATCHED_INSERT: Final = "{into} SELECT {values} FROM {batch} ORDER BY batch.number"
COMBINED_WRITES: Final = "WITH {writes} SELECT {counts}"
_COUNTS: Final = (
    "(SELECT count(*) FROM w{place}), (SELECT count(DISTINCT w{place}.number) FROM w{place})"
)
BATCHED_UPDATE: Final = "{changes}FROM {batch} WHERE {condition} RETURNING batch.number"
# Skips no row, but is an optimization fence: a sub-query with an OFFSET is planned separately.
_FENCE: Final = " OFFSET 0"


class BatchedStatement(NamedTuple):
    """The batched form of a statement.

    Rows of a read start with the number, from 1, of their set of arguments. So do the rows of a
    write with ``numbers_rows``; any other write writes one row for each set.
    """

    text: str
    numbers_rows: bool


def batched(sql: str, types: Sequence[str]) -> BatchedStatement | None:
    """Return the batched form of a statement with parameters of these types, if it has one."""
    # Without parameters there are no arrays to unnest.
    if not types:
        return None
    batch = _batch_of(types)
    if _SELECT.match(sql):
        # A sub-query that locks rows is planned separately anyway.
        fence = _FENCE if for_reading(sql) == sql else ""
        read = statement(BATCHED_READ, batch=batch, read=_named(sql), fence=fence)
        return BatchedStatement(read, numbers_rows=True)
    if match := _INSERT.fullmatch(sql):
        into, values = match.groups()
        insert = statement(BATCHED_INSERT, batch=batch, into=into, values=_named(values))
        return BatchedStatement(insert, numbers_rows=False)
    if match := _UPDATE.fullmatch(sql):
        changes, condition = (_named(part) for part in match.groups())
        update = statement(BATCHED_UPDATE, batch=batch, changes=changes, condition=condition)
        return BatchedStatement(update, numbers_rows=True)
    return None


@cache
def written_table(sql: str) -> str:
    """Return the table of an INSERT or UPDATE that has a batched form, else an empty string.

    The cache is bounded by the number of statements in the program.
    """
    match = _INSERT.fullmatch(sql) or _UPDATE.fullmatch(sql)
    return match[1].split()[2 if _INSERT.fullmatch(sql) else 1] if match else ""


def combine_writes(writes: Sequence[tuple[BatchedStatement, int]]) -> str:
    """Return one statement for writes to different tables, given with their parameter counts.

    Its row has two counts for each write: the rows written, and the sets of arguments that wrote
    any. An INSERT writes one row for each set or fails, so its counts are equal.
    """
    parts, first = [], 0
    for place, (write, count) in enumerate(writes):
        text = renumbered(write.text, first)
        # ctid makes inserted rows distinct, so that both counts are the number of rows.
        returned = "" if write.numbers_rows else " RETURNING ctid AS number"
        parts.append(f"w{place} AS ({text}{returned})")
        first += count
    counts = [statement(_COUNTS, place=str(place)) for place in range(len(writes))]
    return statement(COMBINED_WRITES, writes=", ".join(parts), counts=", ".join(counts))


def renumbered(sql: str, by: int) -> str:
    """Return the statement with the numbers of its parameters raised by ``by``."""
    return _PARAMETER.sub(lambda match: f"${int(match[1]) + by}", sql)


def _batch_of(types: Sequence[str]) -> str:
    # WITH ORDINALITY numbers the sets from 1, in the order of the arrays.
    arrays = ", ".join(f"${place}::{name}[]" for place, name in enumerate(types, 1))
    names = ", ".join(f"a{place}" for place in range(1, len(types) + 1))
    return f"unnest({arrays}) WITH ORDINALITY AS batch ({names}, number)"


def _named(sql: str) -> str:
    return _PARAMETER.sub(r"batch.a\1", sql)
