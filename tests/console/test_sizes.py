"""The files of the page: how many and how large, for the first view and altogether."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest

from tests.console.node_tools import STATIC

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

pytestmark = pytest.mark.embedded

RAW_BYTES_MAX = 278_000
GZIP_BYTES_MAX = 112_000
"""The design's goal is 150 kB, 50 kB compressed. Modules are sent with comments and types, each
compressed alone, and a page loads its own only: the present sizes, which must not grow."""
FIRST_GZIP_BYTES_MAX = 45_000
FIRST_FILES_MAX = 12
FIRST_PAGE = "pages/conversations.js"
"""What a user sees first; app.js imports the module of each page when it is opened."""

_REFERENCE = re.compile(r"""\b(?:href|src)="\{assets\}/([^"#]+)""")
_IMPORT = re.compile(
    r"""(?:^|;)(?:import|export)\b\s*(?:[\w*{][^"';]*\bfrom\s*)?["'](\.[^"']+)""", re.MULTILINE
)
"""At the start of a line or statement, which no type in a comment and no later import is."""


def imported(module: Path) -> set[Path]:
    """Return the modules that a module imports when it is loaded."""
    return {(module.parent / name).resolve() for name in _IMPORT.findall(module.read_text())}


def loaded_with(modules: Iterable[Path]) -> set[Path]:
    """Return modules, and all that they import."""
    found: set[Path] = set()
    waiting = {module.resolve() for module in modules}
    while waiting:
        module = waiting.pop()
        found.add(module)
        if module.suffix == ".js":
            waiting |= imported(module) - found
    return found


def first_load() -> set[Path]:
    """Return the files that the first view needs, the page included."""
    index = STATIC / "index.html"
    named = {STATIC / name for name in _REFERENCE.findall(index.read_text())}
    return {index, *loaded_with({*named, STATIC / FIRST_PAGE})}


def compressed(path: Path) -> int:
    """Return the size of a file as it is sent."""
    content = path.read_bytes()
    return min(len(content), len(gzip.compress(content, mtime=0)))


def test_all_files_are_within_the_budget(vendor: Path) -> None:
    files = [
        path for path in STATIC.rglob("*") if path.is_file() and not path.name.startswith("LICENSE")
    ]

    assert {"preact.js", "hooks.js", "htm.js"} <= {path.name for path in vendor.iterdir()}
    assert sum(path.stat().st_size for path in files) <= RAW_BYTES_MAX
    assert sum(map(compressed, files)) <= GZIP_BYTES_MAX


def test_the_first_view_is_within_the_budget(vendor: Path) -> None:
    files = first_load()

    assert {STATIC / "app.js", vendor / "preact.js", vendor / "hooks.js"} <= files
    assert sum(map(compressed, files)) <= FIRST_GZIP_BYTES_MAX
    names = sorted(path.relative_to(STATIC).as_posix() for path in files)
    assert len(names) <= FIRST_FILES_MAX, names


def test_imports_of_modules_are_followed(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text(
        'import { b } from "./b.js";\nimport {\n\tc,\n} from "./c.js";\nimport "./d.js";\n'
        'export * from "./e.js";\nconst page = () => import("./later.js");\n'
        "/** @type {import('./types.js').T} */\n"
    )
    (tmp_path / "b.js").write_text('import{x as y}from"./f.js";export{y}')
    for name in "cdef":
        (tmp_path / f"{name}.js").touch()

    names = {path.name for path in loaded_with({tmp_path / "a.js"})}

    assert names == {f"{name}.js" for name in "abcdef"}
