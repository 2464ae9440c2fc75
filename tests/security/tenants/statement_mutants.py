"""Every SQL statement of the code, and its mutants: the same with one condition less.

A mutant is a statement without one of its conditions on the account or the service. The parameter
remains, so that the same arguments still fit.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import parlour.delivery
import parlour.operations
import parlour.resources
import parlour.store
from parlour.store.table import AnyTable

if TYPE_CHECKING:
    from collections.abc import Iterator

_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s")
_CONDITION = re.compile(
    r"\b(?:WHERE|AND|ON)\s+\(?(?P<condition>(?:\w+\.)?(?P<column>account_sid|service_sid)"
    r" = (?P<other>\$\d+|[a-z_]+\.[a-z_]+))"
)
# The account's own row is selected by its sid.
_OWN_ROW = re.compile(
    r"\b(?:FROM|UPDATE) account\b.*?WHERE\s+(?P<condition>(?P<column>sid) = (?P<other>\$\d+))",
    re.DOTALL,
)


@dataclass(frozen=True)
class SqlStatement:
    """One statement and its location."""

    name: str
    text: str


@dataclass(frozen=True)
class Mutant:
    """A statement without one of its conditions."""

    statement: SqlStatement
    number: int
    column: str
    other: str
    start: int
    text: str

    @property
    def name(self) -> str:
        """Its location, and the removed condition."""
        return f"{self.statement.name}[{self.number}:{self.column}]"

    @property
    def argument(self) -> int | None:
        """The index of the argument that the condition compared with; None for a join."""
        return int(self.other[1:]) if self.other.startswith("$") else None


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Return the texts in a constant: a text, a tuple of them, or a table."""
    if isinstance(value, str):
        yield "", value
    elif isinstance(value, AnyTable):
        for name, text in value.statements.items():
            yield f".{name}", text
    elif isinstance(value, tuple):
        names = getattr(value, "_fields", range(len(value)))
        for name, each in zip(names, value, strict=True):
            if isinstance(each, str):
                yield f".{name}", each


@cache
def statements() -> tuple[SqlStatement, ...]:
    """Return every statement that is a constant of a module, by importing all of them."""
    found: dict[str, SqlStatement] = {}
    for package in (parlour.store, parlour.operations, parlour.resources, parlour.delivery):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            short = info.name.removeprefix("parlour.")
            for name, value in vars(module).items():
                for part, text in _texts(value):
                    # A text without its columns is a part of other constants.
                    if _SQL.match(text) and "{" not in text:
                        found.setdefault(text, SqlStatement(f"{short}.{name}{part}", text))
    return tuple(each for each in found.values() if not _is_part(each, found))


def _is_part(statement: SqlStatement, found: dict[str, SqlStatement]) -> bool:
    """Return whether a private text is only the prefix of others."""
    private = statement.name.rpartition(".")[2].startswith("_")
    longer = (text for text in found if text != statement.text)
    return private and any(text.startswith(statement.text) for text in longer)


def mutants_of(statement: SqlStatement) -> list[Mutant]:
    """Return the statement with one of its conditions on a tenant removed, for each."""
    places = [*_CONDITION.finditer(statement.text), *_OWN_ROW.finditer(statement.text)]
    made = []
    for number, target in enumerate(places):
        start, end = target.span("condition")
        other = target["other"]
        instead = f"{other} IS NOT NULL" if other.startswith("$") else "1 = 1"
        text = statement.text[:start] + instead + statement.text[end:]
        made.append(Mutant(statement, number, target["column"], other, start, text))
    return made


_SID = re.compile(r"\b(?:sid|[a-z]+_sid) = (?:\$\d|[a-z_]+\.[a-z_]*sid)|\bsid IN \(")
_ACCOUNT = re.compile(r"\baccount_sid = (?:\$\d+|[a-z_]+\.account_sid)")


def is_held_by_sid(mutant: Mutant) -> bool:
    """Return whether a row is still selected by a sid: its own, its parent's or its service's.

    A sid cannot be guessed, and a caller that has one has read it under the account just before. So
    the mutant shows nothing over REST while that holds, and is caught by the tests of the stores.
    """
    where = mutant.text[max(mutant.text.find(" WHERE "), 0) :]
    return bool(_SID.search(_ACCOUNT.sub("", where)))


_CHOICE = re.compile(r"\baccount_sid = \$1\b[^()]*\bIN \(")


def is_inner(mutant: Mutant) -> bool:
    """Return whether the condition only preselects rows that are filtered by the account again.

    ``… WHERE account_sid = $1 AND sid IN (SELECT sid …)``: the outer condition removes rows of
    other accounts, so such a mutant changes no result.
    """
    choice = _CHOICE.search(mutant.statement.text)
    return choice is not None and mutant.start > choice.end()


@cache
def mutants() -> tuple[Mutant, ...]:
    """Return every mutant of every statement."""
    return tuple(mutant for each in statements() for mutant in mutants_of(each))
