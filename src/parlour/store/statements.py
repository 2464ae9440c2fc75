"""Functions that build SQL statements, at import and from constants only."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


# A record is a ``msgspec.Struct`` whose fields are the columns of its table, in any fixed order.
# ``statement`` expands ``{columns}`` and ``{values}`` from it, and ``insert``, ``update``,
# ``row_update`` and ``assignments`` derive the rest, so that a new field is declared in one place.
# The tidy rule ``derived-update`` rejects writes that list a record's fields one by one.
#
# Values of requests are never passed to these functions: they are arguments of the statements.
def statement(text: str, record: type[msgspec.Struct] | None = None, **parts: str) -> str:
    """Return a statement. ``{columns}`` are the record's columns, ``{values}`` are $1, $2 …."""
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


class RowUpdate(NamedTuple):
    """The UPDATE of one row from its record: of some columns only, where the others stay.

    A change of any other column selects the whole statement, so that no change is lost when a
    column is added to the record.
    """

    short: str
    whole: str
    arguments: Callable[[Any], tuple[object, ...]]
    """Returns the arguments of the short statement: the key, and the columns that it writes."""
    others: Callable[[Any], object]
    """Returns the columns that the short statement does not write."""

    def of(self, before: msgspec.Struct, after: msgspec.Struct) -> tuple[str, tuple[object, ...]]:
        """Return the statement that turns the row ``before`` into ``after``, and its arguments."""
        # The short statement leaves out indexed columns where possible: that saves the writes to
        # their indexes and, on PostgreSQL, allows a heap-only update.
        if self.others(before) == self.others(after):
            return self.short, self.arguments(after)
        return self.whole, values_of(after)


def row_update(
    table: str, record: type[msgspec.Struct], *, key: tuple[str, ...], columns: tuple[str, ...]
) -> RowUpdate:
    """Return the UPDATE whose short statement writes ``columns``.

    Raises ``ValueError``, at import, for an unknown column.
    """
    others = columns_without(record, *key, *columns)
    place = {name: f"${number}" for number, name in enumerate((*key, *columns), 1)}
    changes = ", ".join(f"{name} = {place[name]}" for name in columns)
    found = " AND ".join(f"{name} = {place[name]}" for name in key)
    return RowUpdate(
        short=f"UPDATE {table} SET {changes} WHERE {found}",  # noqa: S608 - constants only.
        whole=update(table, record, key=key),
        arguments=attrgetter(*key, *columns),
        others=attrgetter(*others),
    )


def columns_without(record: type[msgspec.Struct], *names: str) -> tuple[str, ...]:
    """Return the record's columns without these. Raises ``ValueError`` for an unknown name."""
    columns = record.__struct_fields__
    if unknown := set(names) - set(columns):
        raise ValueError(f"{record.__name__} has no {', '.join(sorted(unknown))}")
    return tuple(each for each in columns if each not in names)


def assignments(record: type[msgspec.Struct], *, first: int) -> str:
    """Return the SET clause, ``column = $n`` for every column, numbered from ``first``."""
    names = record.__struct_fields__
    return ", ".join(f"{name} = ${number}" for number, name in enumerate(names, first))


def insert(table: str, record: type[msgspec.Struct]) -> str:
    """Return an INSERT of one whole record; arguments as in ``update``."""
    return statement(
        "INSERT INTO {table} ({columns}) VALUES ({values})",
        record,
        table=table,
    )


def select(
    table: str, record: type[msgspec.Struct], *, key: tuple[str, ...], lock: str = ""
) -> str:
    """Return a SELECT of the rows with this key, whose columns are its arguments.

    ``lock`` is the clause that locks them: ``FOR UPDATE``, ``FOR KEY SHARE`` or none.
    """
    text = statement(
        "SELECT {columns} FROM {table} WHERE {found}", record, table=table, found=conditions(key)
    )
    return f"{text} {lock}" if lock else text


def delete(table: str, *, key: tuple[str, ...]) -> str:
    """Return a DELETE of the rows with this key, whose columns are its arguments."""
    return statement("DELETE FROM {table} WHERE {found}", table=table, found=conditions(key))


def conditions(key: tuple[str, ...]) -> str:
    """Return ``column = $n`` for each column of a key, numbered from 1, joined by AND."""
    return " AND ".join(f"{name} = ${number}" for number, name in enumerate(key, 1))


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
    """Return the statements of a list ordered by ``(order, sid)``; ``text`` ends in its WHERE.

    ``arguments`` is the number of the text's arguments; ``sid`` is the column that breaks ties.
    """
    # Keyset pagination: a row comparison with the cursor is a range of the index, so that a page
    # costs the same anywhere in the list, and inserts in the meantime do not shift rows.
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
