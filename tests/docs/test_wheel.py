"""The wheel contains all files that its messages point to."""

from __future__ import annotations

import ast
import re
import zipfile
from typing import TYPE_CHECKING

from tests.support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A path into the repository, but not below the host of a URL.
NAMED = re.compile(r"(?<![\w./-])(?:docs|deploy|tests|bench)/[\w./-]+")


def _messages(source: str) -> Iterator[str]:
    """Yield every text of a module except its docstrings, which no user sees."""
    tree = ast.parse(source)
    unseen = set()
    for node in ast.walk(tree):
        # A text that is a separate statement is a docstring, of an object or of an attribute.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            unseen.add(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in unseen:
            yield node.value


def _missing(texts: Iterator[str], packed: set[str]) -> list[str]:
    return [name for text in texts for name in NAMED.findall(text) if name not in packed]


def test_messages_of_the_wheel_point_only_to_files_in_it(tmp_path: Path) -> None:
    built = build_wheel(tmp_path)
    with zipfile.ZipFile(built) as wheel:
        packed = set(wheel.namelist())
        modules = {name: wheel.read(name).decode() for name in packed if name.endswith(".py")}
    assert "parlour/cli/certificates.py" in modules
    found = {name: _missing(_messages(text), packed) for name, text in modules.items()}
    assert {name: names for name, names in found.items() if names} == {}


def test_message_that_points_elsewhere_is_reported() -> None:
    source = '"""See docs/a.md."""\nx = "read docs/how-to/b.md"\ny = f"or {x} deploy/c"\n'
    source += 'z = "https://example.com/docs/d.html"\n'
    assert _missing(_messages(source), {"docs/e.md"}) == ["docs/how-to/b.md", "deploy/c"]
