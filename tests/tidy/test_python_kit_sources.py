"""The Python kit needs nothing but the standard library, and names no package of a registry."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.tidy.sources import REPOSITORY, Sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.tidy.sources import Source

pytestmark = pytest.mark.xdist_group("tidy")  # The files are parsed once.

KIT = REPOSITORY / "testkit" / "python"
MODULES = list(Sources.below("testkit/python/src"))
ALLOWED = {
    "plugin.py": {"pytest"},
    "twilio_client.py": {"twilio"},
    "twilio_async_client.py": {"twilio"},
}
"""The modules that may import another package: each is imported only where it is installed."""
# A path, an option or a file of requirements is no package of a registry.
OF_A_REGISTRY = re.compile(
    r"(?:pipx?|uvx?|uv tool|uv) (?:install|run|add)(?: -\S+)* +(?![./-])[\"']?parlour[-_]testkit"
)


def _imported(source: Source) -> Iterator[tuple[str, bool]]:
    """Yield each imported package, and whether it is imported for types alone."""
    for_types = {
        id(inner)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        else:
            continue
        for name in names:
            yield name.partition(".")[0], id(node) in for_types


def _texts() -> list[Path]:
    pages = [*(REPOSITORY / "docs").rglob("*.md"), *REPOSITORY.glob("*.md")]
    packages = [*(REPOSITORY / "testkit").rglob("*.*"), *(REPOSITORY / "examples").rglob("*.*")]
    lists = [*REPOSITORY.glob("requirements*"), *REPOSITORY.glob("pyproject.toml")]
    ends = {".md", ".py", ".toml", ".txt", ".in", ".yaml", ".yml", ".json"}
    found = (each for each in (*pages, *packages, *lists) if each.suffix in ends)
    return [each for each in found if "node_modules" not in each.parts]


@pytest.mark.parametrize("source", MODULES, ids=lambda source: source.path.rpartition("/")[2])
def test_a_module_imports_the_standard_library_alone(source: Source) -> None:
    own = {"__future__", "parlour_testkit"} | ALLOWED.get(source.path.rpartition("/")[2], set())
    imported = {name for name, is_for_types in _imported(source) if not is_for_types}

    assert imported - own - set(sys.stdlib_module_names) == set()


def test_the_distribution_declares_no_dependency() -> None:
    project = tomllib.loads((KIT / "pyproject.toml").read_text())["project"]

    assert project["dependencies"] == []
    assert "optional-dependencies" not in project
    assert "Private :: Do Not Upload" in project["classifiers"]


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("pip install parlour-testkit", True),
        ("pip install -U 'parlour-testkit[x]'", True),
        ("pipx run parlour_testkit", True),
        ("uv add parlour-testkit", True),
        ("pip install ./testkit/python", False),
        ("pip install --no-deps ./parlour-testkit", False),
        ("pip install .", False),
    ],
)
def test_the_check_of_texts_finds_packages_of_a_registry(text: str, *, is_wrong: bool) -> None:
    assert bool(OF_A_REGISTRY.search(text)) is is_wrong


def test_no_text_installs_a_package_of_this_name_from_a_registry() -> None:
    found = [str(each) for each in _texts() if OF_A_REGISTRY.search(each.read_text())]

    assert found == []


def test_no_list_of_requirements_names_the_kit() -> None:
    lists = [*REPOSITORY.glob("requirements*"), *REPOSITORY.rglob("examples/*/requirements*.txt")]
    named = [each for each in lists if re.search(r"^parlour", each.read_text(), re.MULTILINE)]

    assert lists
    assert named == []
