"""Modules that must have a test file covering all of their branches have one; a gap is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tidy.sources import REPOSITORY
from tools import own_coverage
from tools.own_coverage import OWN_TESTS, PACKAGE

if TYPE_CHECKING:
    from pathlib import Path

WHOLE_PACKAGES = ("delivery", "egress")
"""The packages whose modules all have an entry."""

MODULE = "def sign(value):\n    if value:\n        return 1\n    return 2\n"
TEST = "from module import sign\n\n\ndef test_sign():\n    assert sign({value}) == {result}\n"


def modules_of(package: str) -> set[str]:
    folder = REPOSITORY / PACKAGE / package
    return {f"{package}/{path.name}" for path in folder.glob("*.py")} - {f"{package}/__init__.py"}


@pytest.mark.parametrize("package", WHOLE_PACKAGES)
def test_each_module_of_the_package_has_an_own_test_file(package: str) -> None:
    found = modules_of(package)
    assert found
    missing = found - OWN_TESTS.keys()
    assert not missing, f"add a test file for each to OWN_TESTS in tools/own_coverage.py: {missing}"


def test_each_entry_is_a_module_with_test_files_that_no_other_has() -> None:
    files = [path for tests in OWN_TESTS.values() for path in tests]
    paths = [f"{PACKAGE}/{module}" for module in OWN_TESTS] + files
    assert [path for path in paths if not (REPOSITORY / path).is_file()] == []
    assert len(set(files)) == len(files)


def test_missing_lines_and_branches_are_named() -> None:
    complete = {"missing_lines": [], "missing_branches": []}
    assert own_coverage.missing(complete) == ""
    gaps = {"missing_lines": [4, 7], "missing_branches": [[2, 4], [3, -1], [7, 8]]}
    assert own_coverage.missing(gaps) == "lines 4, 7; branches 2 to 4, 3 to exit"


@pytest.mark.parametrize(
    ("value", "result", "expected"),
    [("1", "1", "lines 4; branches 2 to 4"), ("1", "2", "the tests fail:")],
)
def test_a_test_file_that_fails_or_covers_less_is_reported(
    tmp_path: Path, value: str, result: str, expected: str
) -> None:
    (tmp_path / "module.py").write_text(MODULE)
    (tmp_path / "test_module.py").write_text(TEST.format(value=value, result=result))
    assert own_coverage.check("module.py", ("test_module.py",), tmp_path).startswith(expected)
