"""The attacks page: the tests of each kind of fault, and the possible attackers.

A test of `tests/attacks` has a mark: ``@pytest.mark.kind("bytes", "turns", by="anybody")``.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PAGE: Final = REPOSITORY / "docs/contributing/attacks.md"
FOLDER: Final = REPOSITORY / "tests/attacks"
# The rule that prevents each kind of fault: a heading of the page.
KINDS: Final = {
    "bytes": "Limits are in bytes and work, not in objects, rows, frames or headers",
    "turns": "A chunk of input takes no more than its share of an event loop iteration",
    "admission": "Admission covers the body before the action and the response after it",
    "shares": "Shares are fair by account and by user, and two accounts cannot use up the total",
    "outlived": "Work ends when its client disconnects",
    "refusals": "A rejection costs far less than the work",
}
# The names of attackers in the marks, and on the page.
ATTACKERS: Final = {
    "anybody": "any client",
    "a user": "a user",
    "many users": "many users",
    "an account": "an account",
    "two accounts": "two accounts",
}
# Tests of the harness, without attacks.
NO_ATTACKS: Final = frozenset({"test_harness.py"})


class AttackTest(NamedTuple):
    """A test, with the arguments of its mark. Without one both are empty."""

    test: str
    kinds: tuple[str, ...]
    by: str
    is_long: bool


def attacks() -> Iterator[AttackTest]:
    """Yield all tests of attacks, in the order of their files."""
    for path in sorted(FOLDER.glob("test_*.py")):
        if path.name in NO_ATTACKS:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield _attack(path.name, node)


def _attack(file: str, node: ast.FunctionDef) -> AttackTest:
    kinds: tuple[str, ...] = ()
    by, is_long = "", False
    for mark in node.decorator_list:
        name = ast.unparse(mark).partition("(")[0]
        is_long = is_long or name == "pytest.mark.gate"
        if name == "pytest.mark.kind":
            assert isinstance(mark, ast.Call)
            kinds = tuple(str(ast.literal_eval(each)) for each in mark.args)
            by = str(ast.literal_eval(mark.keywords[0].value))
    return AttackTest(f"{file}::{node.name}", kinds, by, is_long)


def page(text: str) -> str:
    """Return the page with the current tables after its introduction."""
    lines = [text.partition("\n## ")[0].rstrip()]
    known = list(attacks())
    for kind, meaning in KINDS.items():
        lines += ["", f"## {meaning}", "", "| test | attacker | runs in |", "|---|---|---|"]
        for each in known:
            if kind in each.kinds:
                runs = "`make gate`" if each.is_long else "`make test`"
                lines.append(f"| `{each.test}` | {ATTACKERS[each.by]} | {runs} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
