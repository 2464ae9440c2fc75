"""One statement for many: the text of an action's statement, made to serve several at once.

Actions that run side by side in one transaction (``postgres_group.py``) ask the same things with
other arguments. Their arguments go to the server as arrays, one for each ``$1``, ``$2`` …, and
come apart there into rows that have a number: that of the one who asked. So a hundred look-ups cost
one round trip, and little more than one look-up. The plan of each stays that of the single
statement: a read is fenced, so that it is not turned into a join over the whole table.

Three shapes are understood: any ``SELECT``; an ``INSERT`` of one row of parameters; an ``UPDATE``
without sub-queries. Whatever else is asked is asked one after the other.
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
    "SELECT asked.number, found.* FROM {asked} CROSS JOIN LATERAL ({read}{fence}) AS found"
)
BATCHED_INSERT: Final = "{into} SELECT {values} FROM {asked} ORDER BY asked.number"
COMBINED_WRITES: Final = "WITH {writes} SELECT {counts}"
_COUNTS: Final = (
    "(SELECT count(*) FROM w{place}), (SELECT count(DISTINCT w{place}.number) FROM w{place})"
)
BATCHED_UPDATE: Final = "{changes}FROM {asked} WHERE {condition} RETURNING asked.number"
# Nothing is skipped; but whatever has an OFFSET is planned by itself.
_FENCE: Final = " OFFSET 0"


class BatchedStatement(NamedTuple):
    """A statement for many.

    A read gives rows that begin with the number, from 1, of the one who asked. So does a write
    that ``numbers_rows``; any other writes one row for each who asked.
    """

    text: str
    numbers_rows: bool


def batched(sql: str, types: Sequence[str]) -> BatchedStatement | None:
    """The statement for many, whose parameters have these types; None if its shape is another."""
    if not types:
        return None
    asked = _asked(types)
    if _SELECT.match(sql):
        # What locks rows is planned by itself anyway.
        fence = _FENCE if for_reading(sql) == sql else ""
        read = statement(BATCHED_READ, asked=asked, read=_named(sql), fence=fence)
        return BatchedStatement(read, numbers_rows=True)
    if match := _INSERT.fullmatch(sql):
        into, values = match.groups()
        insert = statement(BATCHED_INSERT, asked=asked, into=into, values=_named(values))
        return BatchedStatement(insert, numbers_rows=False)
    if match := _UPDATE.fullmatch(sql):
        changes, condition = (_named(part) for part in match.groups())
        update = statement(BATCHED_UPDATE, asked=asked, changes=changes, condition=condition)
        return BatchedStatement(update, numbers_rows=True)
    return None


@cache
def written_table(sql: str) -> str:
    """The table of an INSERT or UPDATE that ``batched`` understands, else the empty string.

    Bounded by the number of statements in the program.
    """
    match = _INSERT.fullmatch(sql) or _UPDATE.fullmatch(sql)
    return match[1].split()[2 if _INSERT.fullmatch(sql) else 1] if match else ""


def combine_writes(writes: Sequence[tuple[BatchedStatement, int]]) -> str:
    """One statement for writes to different tables, each with the number of its parameters.

    Its row has two figures for each: rows written, and how many of those who asked wrote any. An
    INSERT writes one row for each who asked, or fails, so both of its figures are the same.
    """
    parts, first = [], 0
    for place, (made, count) in enumerate(writes):
        text = renumbered(made.text, first)
        returned = "" if made.numbers_rows else " RETURNING ctid AS number"
        parts.append(f"w{place} AS ({text}{returned})")
        first += count
    counts = [statement(_COUNTS, place=str(place)) for place in range(len(writes))]
    return statement(COMBINED_WRITES, writes=", ".join(parts), counts=", ".join(counts))


def renumbered(sql: str, by: int) -> str:
    """The statement with parameters that begin behind ``by`` others."""
    return _PARAMETER.sub(lambda match: f"${int(match[1]) + by}", sql)


def _asked(types: Sequence[str]) -> str:
    arrays = ", ".join(f"${place}::{name}[]" for place, name in enumerate(types, 1))
    names = ", ".join(f"a{place}" for place in range(1, len(types) + 1))
    return f"unnest({arrays}) WITH ORDINALITY AS asked ({names}, number)"


def _named(sql: str) -> str:
    return _PARAMETER.sub(r"asked.a\1", sql)
