"""A rule about dates that the server sets: they never move backwards with its clock."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.tidy.sources import AnyFunction, Rule, Source, Sources, Violation, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

RESOURCES = "src/parlour/resources/"
MAKER = "updated_at"

_SETS = re.compile(r"\bUPDATE \w+\s+SET\b.*\bdate_updated = \$", re.DOTALL)


def dated_updates(sources: Sources) -> Iterator[Violation]:
    """A changed row gets its date from ``updated_at``, which is at least its earlier dates."""
    for source in sources:
        if source.path.startswith(RESOURCES):
            for function in source.functions:
                yield from _replaced(source, function)
            yield from _written(source)


def _is_made(value: ast.expr, made: set[str]) -> bool:
    names = {dotted(each) for each in ast.walk(value) if isinstance(each, ast.Name)}
    return MAKER in names or bool(names & made)


def _replaced(source: Source, function: AnyFunction) -> Iterator[Violation]:
    made = {
        dotted(target)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and _is_made(node.value, set())
        for target in node.targets
    }
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or dotted(node.func) != "msgspec.structs.replace":
            continue
        for keyword in node.keywords:
            if keyword.arg == "date_updated" and not _is_made(keyword.value, made):
                yield source.found(keyword.value, f"{function.name}: not by {MAKER}()")


def _written(source: Source) -> Iterator[Violation]:
    """Statements that set the date take it from a record, or compare it themselves."""
    texts = {
        dotted(node.targets[0])
        for node in source.tree.body
        if isinstance(node, ast.Assign)
        and any(
            isinstance(each, ast.Constant)
            and isinstance(each.value, str)
            and _SETS.search(each.value)
            for each in ast.walk(node.value)
        )
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and dotted(node.func) == "tx.run" and node.args:
            values = {dotted(each) for each in node.args[1:]}
            if dotted(node.args[0]) in texts and "tx.now" in values:
                yield source.found(node, f"{dotted(node.args[0])}: the date is not by {MAKER}()")


_FILE = f"{RESOURCES}roles/actions.py"
_REPLACE = "async def f(tx, role): return msgspec.structs.replace(role, date_updated={})"
_UPDATE = 'A = "UPDATE role SET type = $2, date_updated = $3 WHERE sid = $1"\n'
_COMPARES = (
    'A = "UPDATE role SET date_updated = CASE WHEN date_updated > $2 THEN date_updated'
    ' ELSE $2 END WHERE sid = $1"\n'
)

RULES = (
    Rule(
        "dated-updates",
        dated_updates,
        valid=(
            {_FILE: _REPLACE.format("updated_at(tx.now, created_ms=1, updated_ms=1)")},
            {_FILE: _REPLACE.format("given(said.date, updated_at(tx.now, created_ms=1))")},
            {
                _FILE: "async def f(tx, role):\n    at = updated_at(tx.now)\n"
                "    return msgspec.structs.replace(role, date_updated=at)"
            },
            {_FILE: "def f(tx): return Role(date_created=tx.now, date_updated=tx.now)"},
            {_FILE: f"{_UPDATE}async def f(tx, role): await tx.run(A, 1, 2, role.date_updated)"},
            {_FILE: f"{_COMPARES}async def f(tx): await tx.run(A, 1, tx.now)"},
        ),
        invalid=(
            {_FILE: _REPLACE.format("tx.now")},
            {_FILE: _REPLACE.format("given(said.date, tx.now)")},
            {
                _FILE: "async def f(tx, role):\n    at = tx.now\n"
                "    return msgspec.structs.replace(role, date_updated=at)"
            },
            {_FILE: f"{_UPDATE}async def f(tx): await tx.run(A, 1, 2, tx.now)"},
        ),
    ),
)
