"""The page of channel decisions: each row has the tests that would fail without it.

A test has a mark with the rows that it shows: ``@pytest.mark.channel("C29", "11.2")``. The rows and
their words are on the page; `make docs` writes the column of tests.
"""

from __future__ import annotations

import ast
import functools
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PAGE: Final = REPOSITORY / "docs/reference/channel-decisions.md"
DECISIONS: Final = tuple(f"C{number}" for number in range(1, 46))
SCENARIOS: Final = tuple(str(number) for number in range(1, 16))
"""The scenarios of the second table; one with several parts has a row for each: 11.1, 11.2."""

_MARK: Final = "pytest.mark.channel"
_ROW: Final = re.compile(r"^\| (C\d+|\d+(?:\.\d+)?) \| ([^|]+) \|", re.MULTILINE)


def rows(text: str) -> list[str]:
    """Return the rows of the page, in order."""
    return [row[1] for row in _ROW.finditer(text)]


@functools.cache
def marks() -> dict[str, list[str]]:
    """Return the marked tests of each row, in the order of their files."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in test_files():
        text = path.read_text()
        if f"{_MARK}(" in text:
            file = str(path.relative_to(REPOSITORY / "tests"))
            for row, test in marks_of(file, text):
                found[row].append(test)
    return found


def test_files() -> list[Path]:
    """Return the files of tests, in order, without the files of packages."""
    found = []
    for folder, names, files in os.walk(REPOSITORY / "tests"):
        names[:] = [each for each in names if each != "node_modules"]
        found += [Path(folder, each) for each in files if re.fullmatch(r"test_.*\.py", each)]
    return sorted(found)


def marks_of(file: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield each marked row with its test. Raises ValueError for a mark on no test."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for mark in node.decorator_list:
            if not isinstance(mark, ast.Call) or ast.unparse(mark.func) != _MARK:
                continue
            if not node.name.startswith("test_"):
                raise ValueError(f"{file}: {node.name} is no test")
            for argument in mark.args:
                yield str(ast.literal_eval(argument)), f"{file}::{node.name}"


def page(text: str, marked: dict[str, list[str]]) -> str:
    """Return the page with the current tests in the last column."""

    def filled(line: str) -> str:
        row = _ROW.match(line)
        if row is None:
            return line
        tests = "<br>".join(f"`{each}`" for each in marked.get(row[1], []))
        return f"| {row[1]} | {row[2]} | {tests} |"

    return "\n".join(map(filled, text.splitlines())) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), marks()))
