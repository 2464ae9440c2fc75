"""Promises of the documentation: statements such as "is answered with 429", and their tests.

A statement is proven by a test with a mark that names it:

* a row of a table, by its first cell: ``@pytest.mark.promise("REQUEST_SECONDS_MAX", 408)``,
* a statement in the text, by its page and some of its words, of which the number is the last:
  ``@pytest.mark.promise("reference/quirks.md", "a removed participant's URL answers 404")``.

Marks are read from the source of the tests: a test that runs in another suite counts as well.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY: Final = Path(__file__).resolve().parents[2]
DOCS: Final = REPOSITORY / "docs"
BOUNDS_PAGE: Final = "explanation/overload.md"
"""Its tables describe the effect of a bound in the last cell: each status there is a promise."""

_VERB: Final = r"\b(?:answer(?:s|ed)?|refuse[sd]?|reject(?:s|ed)?)\b"
_BETWEEN: Final = r"(?:[ ]|with|by|status|code|prepared|at once|it|them|an?\b|and|the|\(|:|,)*"
STATEMENT: Final = re.compile(
    rf"{_VERB}{_BETWEEN}\b([1-5]\d\d|[2-5]\d{{4}})\b(?! (?:ms|bytes|B)\b)"
)
_STATUS: Final = re.compile(r"(?<![\d,.-])\b([1-5]\d\d)\b(?! (?:ms|bytes|B|KiB|places)\b)")
_ROW: Final = re.compile(r"^\| `?([^`|]+?)`? \|")

# Statements of that form that promise no behaviour of this server, by their page.
NO_PROMISES: Final = {
    "decisions/0016-webhooks-in-lanes.md": "while a receiver is deployed it answers 404",
    "explanation/egress.md": "A receiver that answers 401",
    "reference/quirks.md": "a receiver that answers 401",
    "how-to/deploy.md": "every one answered 201",
}


@dataclass(frozen=True, order=True)
class PromisedStatement:
    """A promise: its row or page, its number, and the words before it."""

    place: str
    number: int
    words: str = ""


@dataclass(frozen=True)
class Proof:
    """A mark of a test: the row or the page, and the number or the words."""

    test: str
    place: str
    what: int | str

    def shows(self, statement: PromisedStatement) -> bool:
        """Return whether it names this statement."""
        if self.place != statement.place:
            return False
        if isinstance(self.what, int):
            return self.what == statement.number
        return statement.words.endswith(self.what)


def statements_of(page: str, text: str) -> Iterator[PromisedStatement]:
    """Yield the promises of one page; a statement may span several lines, a row does not."""
    prose: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            prose.append(line.strip())
            continue
        row = _ROW.match(line)
        name = row[1] if row else page
        for found in STATEMENT.finditer(line):
            yield PromisedStatement(name, int(found[1]))
        if page == BOUNDS_PAGE and row:
            last = line.rstrip("| ").rpartition(" | ")[2]
            for found in _STATUS.finditer(last):
                yield PromisedStatement(name, int(found[1]))
    whole = " ".join(prose)
    for found in STATEMENT.finditer(whole):
        words = whole[max(0, found.start() - 100) : found.end()]
        if not words.endswith(NO_PROMISES.get(page, "\n")):
            yield PromisedStatement(page, int(found[1]), words)


@cache
def statements() -> frozenset[PromisedStatement]:
    """Return everything that the documentation promises in this form."""
    return frozenset(
        statement
        for path in sorted(DOCS.rglob("*.md"))
        for statement in statements_of(str(path.relative_to(DOCS)), path.read_text())
    )


@cache
def proofs() -> tuple[Proof, ...]:
    """Return the marks of all tests."""
    return tuple(
        proof
        for path in sorted((REPOSITORY / "tests").rglob("test_*.py"))
        if "mark.promise(" in (text := path.read_text())
        for proof in proofs_of(str(path.relative_to(REPOSITORY)), text)
    )


def proofs_of(file: str, text: str) -> Iterator[Proof]:
    """Yield the marks of one file's tests."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise":
                place, what = (ast.literal_eval(each) for each in mark.args)
                yield Proof(f"{file}::{node.name}", place, what)
