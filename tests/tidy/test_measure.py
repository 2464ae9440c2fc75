"""The counts of ``tools/measure.py`` on small trees, and the targets of this repository."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from tools import measure, structure

if TYPE_CHECKING:
    from pathlib import Path

STORE = '''
INSERT = insert("role", Role)
FETCH = statement(
    "SELECT {columns} FROM role WHERE account_sid = $1 AND sid = $2", Role
)
LIST = "SELECT sid FROM role WHERE account_sid = $1 AND type = $2 ORDER BY sequence"


async def add(tx, role):
    """Insert a role."""
    assert role.sid
    await tx.run(INSERT, *values_of(role))


async def used(tx, role):
    rows = await tx.all(LIST, role.sid)
    return await count_of(tx, rows)
'''


@cache
def own_modules() -> list[structure.Module]:
    return structure.modules_below(measure.REPOSITORY)


def tree(folder: Path, files: dict[str, str]) -> list[structure.Module]:
    """Return the modules of a package that has these files."""
    for name, text in files.items():
        path = folder / "src" / "parlour" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return structure.modules_below(folder)


def test_a_class_name_of_two_modules_is_a_duplicate(tmp_path: Path) -> None:
    modules = tree(tmp_path, {"a.py": "class A: ...\nclass B: ...", "b.py": "class A: ..."})

    assert structure.duplicate_classes(modules) == {"A": ["parlour.a", "parlour.b"]}


def test_aliases_are_compared_both_ways(tmp_path: Path) -> None:
    modules = tree(
        tmp_path,
        {
            "__init__.py": "",
            "x/store.py": "",
            "y/store.py": "",
            "a.py": "from parlour.x import store\nfrom parlour.y import store as rows",
            "b.py": "from parlour.y import store",
        },
    )

    assert structure.alias_homonyms(modules) == (
        {"parlour.y.store": ["rows", "store"]},
        {"store": ["parlour.x.store", "parlour.y.store"]},
    )


def test_a_cycle_counts_run_time_imports_of_modules_alone(tmp_path: Path) -> None:
    modules = tree(
        tmp_path,
        {
            "resources/a/actions.py": "from parlour.resources.b.store import f",
            "resources/b/store.py": "",
            "resources/b/actions.py": "import parlour.resources.a.actions",
            "c.py": "from parlour.d import x",
            "d.py": "if TYPE_CHECKING:\n    import parlour.c\ndef f():\n    import parlour.c",
        },
    )
    graph = structure.import_graph(modules)

    assert structure.cycles(graph) == []
    assert structure.cycles(structure.of_resource_folders(graph)) == [["a", "b"]]
    assert structure.cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_boilerplate_is_row_statements_and_functions_that_only_bind_them(tmp_path: Path) -> None:
    (module,) = tree(tmp_path, {"resources/roles/store.py": STORE})

    assert structure.sql_boilerplate(module) == (4, 4)


def test_comments_are_counted_without_rulers_and_directives(tmp_path: Path) -> None:
    text = '"""Doc.\n\nMore."""\n# Why.\n# --- Part ------\nx = 1  # noqa: E1\ny = 2  # Also why.\n'
    (module,) = tree(tmp_path, {"a.py": text})

    assert (module.comment_lines, module.docstring_lines, module.lines) == (2, 3, 7)


def test_language_is_counted_per_10_000_words(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text('"""Retry what was said to the cache, `nobody` else."""\n')

    language = measure.language_of([path])

    assert language.words == 8
    assert language.avoided == {"what is": 1, "said": 1}
    assert language.per_10_000(language.standard) == 2_500


def test_the_report_has_a_column_for_each_tree() -> None:
    lines = measure.report({"c6f6bf3": {"files": "2"}, "now": {"files": "3", "lines": "9"}})

    assert [line.split() for line in lines.splitlines()] == [
        ["c6f6bf3", "now"],
        ["files", "2", "3"],
        ["lines", "-", "9"],
    ]


@pytest.mark.parametrize("package", ["delivery", "store", "realtime", "http"])
def test_packages_with_state_have_comments(package: str) -> None:
    row = measure.of_sizes(own_modules())[f"comment / docstring lines per 100: {package}"]

    assert 4 <= float(row.partition(" / ")[0]) <= 9, row


@pytest.mark.parametrize("area", measure.AREAS)
def test_the_prose_uses_the_terms_of_the_field(area: str) -> None:
    language = measure.language_of(measure.files_of(measure.REPOSITORY, measure.AREAS[area]))

    assert language.per_10_000(language.avoided) <= 60
    assert language.per_10_000(language.standard) >= 200
