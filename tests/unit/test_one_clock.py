"""Components get their clock from the composition root (docs/decisions/0025)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src" / "parlour"
# The composition roots: the server, and commands that run without one. The checks of the machine
# concern real time also in test mode: certificates, files, the clock of the database.
ROOTS = ("app.py", "cli/", "inspection/")


def made_clocks(source: str) -> list[int]:
    """Return the lines on which a clock of the machine is made."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("SystemClock")
    ]


def test_only_composition_roots_make_a_clock() -> None:
    found = {
        path.relative_to(SOURCES).as_posix(): lines
        for path in SOURCES.rglob("*.py")
        if (lines := made_clocks(path.read_text(encoding="utf-8")))
    }
    assert "app.py" in found
    assert [name for name in found if not name.startswith(ROOTS)] == []


@pytest.mark.parametrize("source", ["SystemClock()", "a = f(clock.SystemClock())"])
def test_a_clock_made_elsewhere_is_found(source: str) -> None:
    assert made_clocks(source) == [1]
