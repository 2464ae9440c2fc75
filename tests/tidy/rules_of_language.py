"""Rules about words: prose and names use the terms of the field."""

from __future__ import annotations

import ast
import re
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


def standard_names(sources: Sources) -> Iterator[Violation]:
    """A name consists of the field's terms."""
    for source in sources:
        for node in ast.walk(source.tree):
            for name in _defined(node):
                for word in _WORD.findall(name):
                    if word.lower() in words.AVOIDED_IN_NAMES:
                        line = getattr(node, "lineno", 1)
                        yield Violation(source.path, line, f"{name}: not {word.lower()!r}")


_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def _defined(node: ast.AST) -> list[str]:
    """Return the names that a node defines; a used one may be of another library."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.ClassDef(name=name) | ast.arg(arg=name) | ast.alias(asname=str(name)):
            return [name]
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return [name]
        case _:
            return []


RULES = (
    Rule(
        "standard-terms",
        standard_terms,
        valid=(
            {"a.py": '"""Return the response, or None after a timeout."""'},
            {"a.py": "x = 1  # The dispatcher retries."},
            {"a.py": '"""Return ``said`` and `told`, as the parameters are called."""'},
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
        folders=("src", "tests", "bench", "tools", "testkit"),
    ),
    Rule(
        "standard-names",
        standard_names,
        valid=(
            {"a.py": "position = file.tell()"},
            {"a.py": "def essay(household): return household.said"},
            {"a.py": "import a as saying"},
        ),
        invalid=(
            {"a.py": "def tell(): ..."},
            {"a.py": "class HeardEvents: ..."},
            {"a.py": "async def f(*, told_again): ..."},
            {"a.py": "NOBODY = 1"},
            {"a.py": "def f(self):\n    self.deeds = {}"},
            {"a.py": "import conversations as talks"},
        ),
        folders=("src", "tests", "bench", "tools", "testkit"),
    ),
)
