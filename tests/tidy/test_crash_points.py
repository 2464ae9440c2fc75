"""Every crash point is passed by the code and used by a test; every write of the outbox has one."""

from __future__ import annotations

import ast

import pytest

from parlour.vocabulary import crash_points
from tests.tidy.sources import Sources

pytestmark = pytest.mark.xdist_group("tidy")  # The files are parsed once.

POINTS = {
    name: value
    for name, value in vars(crash_points).items()
    if name.isupper() and not name.startswith("_") and isinstance(value, str)
}
GROUPS = {name: value for name, value in vars(crash_points).items() if name.endswith("_POINTS")}
GROUPS["CRASH_POINTS"] = crash_points.CRASH_POINTS
OUTBOX = ("src/parlour/channels/outbox_", "src/parlour/channels/reports.py")
# Deletes reports that nothing waits for.
EXEMPT = {"_expire"}


def names_in(tree: ast.AST) -> set[str]:
    """Return all names and attributes that a syntax tree reads."""
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def passed(tree: ast.AST) -> set[str]:
    """Return the names of the crash points that a syntax tree passes."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        name
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "crash_point"
        for name in names_in(call.args[0])
    }


def test_every_crash_point_is_passed_and_used_by_a_test() -> None:
    in_code: set[str] = set()
    in_tests: set[str] = set()
    for each in Sources.below("src", "tests"):
        if each.path.startswith("src/"):
            in_code |= passed(each.tree)
        elif each.path.startswith("tests/"):
            in_tests |= names_in(each.tree)
    for group in in_tests & GROUPS.keys():
        in_tests |= {name for name, value in POINTS.items() if value in GROUPS[group]}
    assert POINTS.keys() - in_code == set()
    assert POINTS.keys() - in_tests == set()


def test_every_write_of_the_outbox_has_a_crash_point() -> None:
    functions = [
        node
        for source in Sources.below("src")
        if source.path.startswith(OUTBOX)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    writing = {
        node.name: node
        for node in functions
        if any(isinstance(each, ast.Attribute) and each.attr == "write" for each in ast.walk(node))
    }
    assert len(writing) > len(EXEMPT)
    assert {name for name, node in writing.items() if not passed(node)} == EXEMPT
