"""How statements are put together: at import, from constants, and nowhere else.

A record is a ``msgspec.Struct`` whose fields are the columns of its table, in any fixed order;
``statement`` fills ``{columns}``, ``{values}`` and ``{changes}`` from it so that a new field is
named in one place. No value from a request ever reaches these functions.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


def statement(text: str, record: type[msgspec.Struct] | None = None, **parts: str) -> str:
    """One SQL text. ``{columns}`` are the record's columns, ``{values}`` are $1, $2 …."""
    words = dict(parts)
    if record is not None:
        names = record.__struct_fields__
        words["columns"] = ", ".join(names)
        words["values"] = ", ".join(f"${number}" for number in range(1, len(names) + 1))
    return text.format(**words)


def update(table: str, record: type[msgspec.Struct], *, key: tuple[str, ...]) -> str:
    """An UPDATE of every column of one row, found by its key columns.

    Its arguments are the record's fields in order: ``*values_of(record)``.
    """
    names = record.__struct_fields__
    place = {name: f"${number}" for number, name in enumerate(names, 1)}
    changes = ", ".join(f"{name} = {place[name]}" for name in names if name not in key)
    found = " AND ".join(f"{name} = {place[name]}" for name in key)
    return f"UPDATE {table} SET {changes} WHERE {found}"  # noqa: S608 - constants only.


def insert(table: str, record: type[msgspec.Struct]) -> str:
    """An INSERT of one whole record; arguments as in ``update``."""
    return statement(
        "INSERT INTO {table} ({columns}) VALUES ({values})",
        record,
        table=table,
    )


class Window(NamedTuple):
    """A list read forwards or backwards from a position.

    Both statements take the arguments of the text first, then the order value and the sid of
    the position, then the number of rows. From the start: the text without a position.
    """

    first: str
    forward: str
    backward: str
    descending: bool


def window(
    text: str,
    record: type[msgspec.Struct],
    *,
    order: str,
    arguments: int,
    descending: bool = False,
    sid: str = "sid",
) -> Window:
    """The statements of a list, ordered by ``(order, sid)``; ``text`` ends in its WHERE.

    ``arguments`` is how many the text takes; ``sid`` names the column that breaks ties.
    """
    base = statement(text, record)
    ahead, behind = ("DESC", "ASC") if descending else ("ASC", "DESC")
    after, before = ("<", ">") if descending else (">", "<")
    mark, tie, count = (f"${arguments + number}" for number in (1, 2, 3))
    limit = f"${arguments + 1}"

    def read(condition: str, direction: str, size: str) -> str:
        return f"{base}{condition} ORDER BY {order} {direction}, {sid} {direction} LIMIT {size}"

    return Window(
        first=read("", ahead, limit),
        forward=read(f" AND ({order}, {sid}) {after} ({mark}, {tie})", ahead, count),
        backward=read(f" AND ({order}, {sid}) {before} ({mark}, {tie})", behind, count),
        descending=descending,
    )


def values_of(record: msgspec.Struct) -> tuple[object, ...]:
    """The record's fields in the order of its columns."""
    return msgspec.structs.astuple(record)
