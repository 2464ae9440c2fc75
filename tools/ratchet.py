"""Hold the number of avoided words in each file: it may go down, and never up.

``python -m tools.ratchet`` rewrites ``tests/tidy/allowed_words.txt``, which has one line for each
file with avoided words: its path and how many it may have. A file without a line may have none.

The list has one of two states, named in its first line:

| state  | the tidy test allows                                                        | next   |
|--------|-----------------------------------------------------------------------------|--------|
| open   | any move of words between files, while the sum over all files does not rise | closed |
| closed | exactly the listed numbers; a lower number requires a rewrite of the list   | -      |

Open is for a reorganization in which many files move on several branches: no branch has to edit the
list, so no two of them conflict in it. The command closes the list; with ``--open`` it stays open.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tools import prose, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

REPOSITORY = Path(__file__).resolve().parents[1]
LIST = REPOSITORY / "tests" / "tidy" / "allowed_words.txt"
PYTHON = ("src", "tests", "bench", "tools", "testkit")
SQL = "src"
PAGES = ("docs", "README.md", "CONTRIBUTING.md", "CHANGELOG.md")
# It quotes the avoided words as data.
EXEMPT = {"tools/words.py"}

OPEN = "# open: only the sum over all files is compared"
CLOSED = "# closed: the number of each file is compared"


class Allowed(NamedTuple):
    """How many avoided words each file may have."""

    is_open: bool
    counts: Mapping[str, int]


class CountChange(NamedTuple):
    """A file whose number is not the allowed one."""

    path: str
    found: int
    allowed: int


def parse(text: str) -> Allowed:
    """Return the list that a text holds. Raises ValueError for a line without a number."""
    first, *lines = text.splitlines()
    counts = {}
    for line in lines:
        if not line.startswith("#"):
            path, number = line.rsplit(" ", 1)
            counts[path] = int(number)
    return Allowed(first == OPEN, counts)


def written(allowed: Allowed) -> str:
    """Return the text of a list: sorted, without files that have no avoided word."""
    rows = [f"{path} {count}" for path, count in sorted(allowed.counts.items()) if count]
    return "\n".join((OPEN if allowed.is_open else CLOSED, *rows)) + "\n"


def raised(allowed: Allowed, counts: Mapping[str, int]) -> list[CountChange]:
    """Return the files with more avoided words than allowed; none while an open list balances."""
    above = [
        CountChange(path, count, allowed.counts.get(path, 0))
        for path, count in sorted(counts.items())
        if count > allowed.counts.get(path, 0)
    ]
    balances = sum(counts.values()) <= sum(allowed.counts.values())
    return [] if allowed.is_open and balances else above


def lowered(allowed: Allowed, counts: Mapping[str, int]) -> list[CountChange]:
    """Return the files of a closed list with fewer avoided words than allowed, or deleted."""
    if allowed.is_open:
        return []
    return [
        CountChange(path, counts.get(path, 0), number)
        for path, number in sorted(allowed.counts.items())
        if counts.get(path, 0) < number
    ]


def tightened(allowed: Allowed, counts: Mapping[str, int], *, stay_open: bool) -> Allowed:
    """Return the list of the present numbers.

    Raises ValueError if one of a closed list has risen, or the sum of an open one: so words move
    to another file only after ``--open``.
    """
    changes = raised(allowed._replace(is_open=allowed.is_open or stay_open), counts)
    if changes:
        found = ", ".join(f"{each.path}: {each.found} ({each.allowed} allowed)" for each in changes)
        raise ValueError(f"avoided words in {found}; see python -m tools.measure --words FILE")
    return Allowed(stay_open, counts)


def files() -> Iterator[Path]:
    """Yield every file whose prose is counted."""
    for folder in PYTHON:
        yield from sorted((REPOSITORY / folder).rglob("*.py"))
    yield from sorted((REPOSITORY / SQL).rglob("*.sql"))
    for name in PAGES:
        top = REPOSITORY / name
        yield from [top] if top.is_file() else sorted(top.rglob("*.md"))


def count_of(passages: Iterable[prose.Passage]) -> int:
    """Return the number of avoided words in the prose of a file."""
    return sum(len(words.avoided_in(each.text)) for each in passages)


def counts_now() -> dict[str, int]:
    """Return the number of avoided words in each file of the repository."""
    found = {}
    for path in files():
        name = str(path.relative_to(REPOSITORY))
        if "node_modules" not in path.parts and name not in EXEMPT:
            found[name] = count_of(prose.passages(path))
    return found


def main(arguments: list[str]) -> int:
    """Rewrite the list."""
    parser = argparse.ArgumentParser(prog="python -m tools.ratchet", description=__doc__)
    parser.add_argument("--open", action="store_true", help="compare only the sum from now on")
    chosen = parser.parse_args(arguments)
    counts = counts_now()
    allowed = parse(LIST.read_text()) if LIST.exists() else Allowed(is_open=True, counts=counts)
    try:
        LIST.write_text(written(tightened(allowed, counts, stay_open=chosen.open)))
    except ValueError as error:
        print(error)
        return 1
    print(f"{sum(counts.values())} avoided words allowed, {sum(allowed.counts.values())} before")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
