"""The prose of the project: comments of Python and SQL files, docstrings, the text of pages."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CODE = re.compile(r"(?s)``.*?``|`[^`]*`|:\w+:`[^`]*`")
_FENCE = re.compile(r"(?ms)^ *(```|~~~).*?^ *\1[^\n]*$")
_LINK = re.compile(r"\]\([^)]*\)|<[^>\n]+>|https?://\S+")
_DIRECTIVE = re.compile(r"#\s*(?:noqa|type:|tidy:|pragma|fmt:|ruff:|mypy:)(?P<rest>.*)")
_RULER = re.compile(r"[-=|+]{3,}")
# A literal or a quoted name may contain the two dashes of a comment.
_SQL_COMMENT = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|--(?P<comment>[^\n]*)""")
_OWNERS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_BODIES = (ast.stmt, ast.excepthandler, ast.match_case)


class Passage(NamedTuple):
    """A comment, a docstring or a page, with the line that it starts on."""

    line: int
    text: str


def _blanked(found: re.Match[str]) -> str:
    """Return spaces and line breaks in place of a match, so that positions stay."""
    return re.sub(r"[^\n]", " ", found.group())


def plain(text: str) -> str:
    """Blank out code spans, links and rulers: names in code are no prose."""
    for pattern in (_FENCE, _CODE, _LINK, _RULER):
        text = pattern.sub(_blanked, text)
    return text


def docstrings(tree: ast.Module) -> Iterator[Passage]:
    """Yield every docstring, and the texts that describe attributes."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        owner = waiting.pop()
        # Statements alone: most nodes are parts of expressions, which contain no docstring.
        waiting += [node for node in ast.iter_child_nodes(owner) if isinstance(node, _BODIES)]
        if not isinstance(owner, _OWNERS):
            continue
        for number, node in enumerate(owner.body):
            if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
                continue
            is_of_attribute = isinstance(owner, ast.ClassDef | ast.Module)
            if isinstance(node.value.value, str) and (number == 0 or is_of_attribute):
                yield Passage(node.lineno, node.value.value)


def comments(text: str) -> Iterator[Passage]:
    """Yield every comment without the directives to tools; their reasons are prose too."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        directive = _DIRECTIVE.match(token.string)
        if directive is None:
            yield Passage(token.start[0], token.string.lstrip("#! "))
        elif " - " in directive["rest"]:
            yield Passage(token.start[0], directive["rest"].split(" - ", 1)[1])


def of_python(text: str, tree: ast.Module | None = None) -> list[Passage]:
    """Return the comments and docstrings of a Python file, in order, with code blanked out."""
    found = [*docstrings(tree or ast.parse(text)), *comments(text)]
    return [Passage(each.line, plain(each.text)) for each in sorted(found)]


def of_sql(text: str) -> list[Passage]:
    """Return the comments of an SQL file, in order, with code blanked out."""
    return [
        Passage(text.count("\n", 0, found.start()) + 1, plain(found["comment"].strip()))
        for found in _SQL_COMMENT.finditer(text)
        if found["comment"] is not None
    ]


def passages(path: Path) -> list[Passage]:
    """Return the prose of a Python, SQL or Markdown file, in order, with code blanked out."""
    text = path.read_text()
    match path.suffix:
        case ".md":
            return [Passage(1, plain(text))]
        case ".sql":
            return of_sql(text)
        case _:
            return of_python(text)


def joined(path: Path) -> str:
    """Return the prose of a file as one text."""
    return "\n\n".join(each.text for each in passages(path))
