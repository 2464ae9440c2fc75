"""The glossary: one meaning for each term, and a place in the tree that exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import NamedTuple

import pytest

from tests.tidy.sources import REPOSITORY

PAGE = REPOSITORY / "docs" / "contributing" / "glossary.md"
PACKAGE = REPOSITORY / "src" / "parlour"
TERMS_MIN = 60

_ROW = re.compile(r"^\| (?P<term>[^|]+) \| (?P<meaning>[^|]+) \| (?P<where>[^|]+) \|$")
_WHERE = re.compile(r"`(?P<path>[\w/]+\.py)`(?: `(?P<name>[\w.]+)`)?")


class GlossaryTerm(NamedTuple):
    """One row of the glossary."""

    term: str
    meaning: str
    path: str
    name: str


def terms_of(page: str) -> list[GlossaryTerm]:
    """Return the rows of the tables. A row without a place fails."""
    found = []
    for line in page.splitlines():
        row = _ROW.match(line)
        if row and row["term"] not in {"term", "---"}:
            where = _WHERE.fullmatch(row["where"].strip())
            assert where, f"{row['term']}: the last column is a path and a name"
            found.append(
                GlossaryTerm(row["term"], row["meaning"], where["path"], where["name"] or "")
            )
    return found


TERMS = terms_of(PAGE.read_text())


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the classes, functions, constants and methods that a module defines."""
    found = set()
    for node in ast.parse((PACKAGE / path).read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.stmt))
            found |= {
                f"{node.name}.{each.name}"
                for each in methods
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        found |= {each.id for each in targets if isinstance(each, ast.Name)}
    return frozenset(found)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.term)
def test_term_is_defined_at_the_place_in_the_glossary(term: GlossaryTerm) -> None:
    assert (PACKAGE / term.path).exists(), term.path
    assert not term.name or term.name in names_in(term.path)


def test_each_term_has_one_meaning() -> None:
    terms = [term.term.lower() for term in TERMS]

    assert len(terms) >= TERMS_MIN
    assert sorted({each for each in terms if terms.count(each) > 1}) == []
    assert all(term.meaning.strip().endswith(".") for term in TERMS)


def test_missing_name_and_row_without_a_place_are_reported() -> None:
    assert "Transaction.lock_name" in names_in("store/transaction.py")
    assert "NoSuchClass" not in names_in("store/transaction.py")
    with pytest.raises(AssertionError, match="last column"):
        terms_of("| word | A meaning. | somewhere |")
