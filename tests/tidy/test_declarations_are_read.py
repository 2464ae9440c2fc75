"""Every setting and every limit is read by the code: no declaration is without effect."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from parlour import config
from tests.tidy.sources import Sources, dotted

if TYPE_CHECKING:
    from tests.tidy.sources import Source

LIMITS = "src/parlour/vocabulary/limits/"
CONFIG = "src/parlour/config.py"

pytestmark = pytest.mark.xdist_group("tidy")  # The files are parsed once.


def declared_limits(sources: Sources) -> dict[str, set[str]]:
    """Return each limit, and the names from which its value is computed."""
    found = {}
    for source in sources:
        if not source.path.startswith(LIMITS):
            continue
        for node in source.tree.body:
            if isinstance(node, ast.Assign):
                names = {each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)}
                found |= {
                    target.id: names for target in node.targets if isinstance(target, ast.Name)
                }
    return found


def attributes_of(source: Source, *owners: str) -> set[str]:
    """The attributes that a file reads of an object with one of these names, by any path."""
    return {
        node.attr
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and dotted(node.value).rpartition(".")[2] in owners
    }


def unread_limits(sources: Sources) -> set[str]:
    """Return limits that no code reads, neither directly nor for the value of one that is read."""
    declared = declared_limits(sources)
    waiting = {
        name
        for source in sources
        if not source.path.startswith(LIMITS)
        for name in attributes_of(source, "limits", "units")
    }
    read: set[str] = set()
    while waiting:
        name = waiting.pop()
        read.add(name)
        waiting |= declared.get(name, set()) - read
    return set(declared) - read


def unread_settings(sources: Sources, names: set[str]) -> set[str]:
    """Return settings that no code reads from an object called ``settings``."""
    read = {
        name
        for source in sources
        if source.path != CONFIG
        for name in attributes_of(source, "settings", "_settings")
    }
    return names - read


def test_each_limit_is_read() -> None:
    assert unread_limits(Sources.below("src")) == set(), "use it, or delete it"


def test_each_setting_is_read() -> None:
    names = {each.name for each in config.setting_descriptions()}
    assert unread_settings(Sources.below("src"), names) == set(), "use it, or delete it"


def test_a_limit_counts_as_read_only_where_code_reads_it() -> None:
    declaration = "KIB = 1024\nBASE = 2 * KIB\nUSED = BASE\nUNUSED = BASE\nALSO_UNUSED = UNUSED\n"
    sources = Sources.of(
        {
            f"{LIMITS}__init__.py": declaration,
            "src/parlour/a.py": "x = limits.USED\nlimits.UNUSED = 3\nother.ALSO_UNUSED\n",
        }
    )
    assert unread_limits(sources) == {"UNUSED", "ALSO_UNUSED"}


def test_a_setting_counts_as_read_only_where_code_reads_it() -> None:
    sources = Sources.of(
        {
            CONFIG: "settings.declared_only",
            "src/parlour/a.py": "self.settings.used\nevent.account\nsettings.written = 1\n",
        }
    )
    names = {"declared_only", "used", "account", "written"}
    assert unread_settings(sources, names) == {"declared_only", "account", "written"}
