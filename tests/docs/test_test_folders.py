"""The map of the test folders agrees with the tree and with each folder's docstring."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/contributing/tests.md").read_text("utf-8")
_ROW = re.compile(r"^\| `tests/(\w+)/` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def folders() -> dict[str, str]:
    """Return the first line of the docstring of each folder of tests."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "tests").glob("*/__init__.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        found[path.parent.name] = (docstring or "").partition("\n")[0]
    return found


def test_each_folder_is_in_the_map_with_its_docstring() -> None:
    assert {name: shows.strip() for name, _, shows in _ROW.findall(PAGE)} == folders()


def test_each_folder_of_unit_tests_is_named_after_a_package() -> None:
    packages = {path.parent.name for path in (ROOT / "src/parlour").glob("*/__init__.py")}
    folders = {path.parent.name for path in (ROOT / "tests/unit").glob("*/__init__.py")}
    assert folders <= packages


def test_each_make_target_that_runs_tests_is_on_the_page() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z-]+):.*##.*\n(?:\t.*\n)*?\t.*-m pytest", makefile, re.MULTILINE)
    assert targets
    assert [name for name in targets if f"`make {name}`" not in PAGE] == []
