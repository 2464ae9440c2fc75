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
KINDS: Final = {
    "bytes": "What is bounded is bytes and work, and not objects, rows, frames or headers",
    "turns": "One chunk that is read is no more than its share of a turn of the event loop",
    "admission": "Admission covers the body before the action, and the answer after it",
    "shares": "Shares are fair by account and by user, and two accounts do not fill the total",
    "outlived": "Work ends with its requester",
    "refusals": "A refusal costs far less than the work",
}
ATTACKERS: Final = ("anybody", "a user", "many users", "an account", "two accounts")
# They attack nothing: they test the harness.
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
                lines.append(f"| `{each.test}` | {each.by} | {runs} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
