"""A rule about prose: comments and docstrings use the terms of the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tidy.sources import Rule, Violation
from tools import prose, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.tidy.sources import Sources


def standard_terms(sources: Sources) -> Iterator[Violation]:
    """An idiosyncratic word is replaced by the field's term."""
    for source in sources:
        yield from avoided(source.path, prose.of_python(source.text, source.tree))


def avoided(path: str, passages: Iterable[prose.Passage]) -> Iterator[Violation]:
    """Yield the avoided words of a file, each with its replacement."""
    for passage in passages:
        for hit in words.avoided_in(passage.text):
            line = passage.line + passage.text.count("\n", 0, hit.at)
            yield Violation(path, line, f"{hit.text!r}: write {hit.avoided.instead}")


RULES = (
    Rule(
        "standard-terms",
        standard_terms,
        valid=(
            {"a.py": '"""Return the response, or None after a timeout."""'},
            {"a.py": "x = 1  # The dispatcher retries."},
            {"a.py": '"""Return ``said`` and `told`, as the parameters are called."""'},
            {"a.py": "said = told = nobody = 1"},
            {"a.py": 'text = "nobody said so"'},
            {"a.py": "import a  # noqa: PLC0415"},
            {"a.py": "# What is a lane? One URL and one conversation."},
        ),
        invalid=(
            {"a.py": '"""Whoever is told."""'},
            {"a.py": "x = 1  # Nobody hears of it."},
            {"a.py": 'class A:\n    x: int\n    """How many were noted."""'},
            {"a.py": "# Written is what came of it."},
            {"a.py": "import a  # noqa: PLC0415 - nobody needs it earlier"},
            {"a.py": '"""Return the requests.\n\nThose of an account wait anew.\n"""'},
        ),
        folders=("src", "tests", "bench", "tools"),
    ),
)
