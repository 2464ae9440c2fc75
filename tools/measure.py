"""Measure the size, structure and language of the code: ``python -m tools.measure``.

With ``--against REV`` each metric is printed twice: of that revision, and of the working tree.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, NamedTuple

from tools import prose, structure, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tools.structure import Module

REPOSITORY = Path(__file__).resolve().parents[1]
AREAS = {
    "src/parlour": ("src/parlour",),
    "tests": ("tests",),
    "docs": ("docs", "README.md", "CONTRIBUTING.md"),
}
PER = 10_000


class Language(NamedTuple):
    """How the prose of an area is worded."""

    words: int
    avoided: Counter[str]
    standard: Counter[str]

    def per_10_000(self, counts: Counter[str]) -> float:
        """Return how many occurrences there are in 10,000 words."""
        return PER * counts.total() / self.words if self.words else 0.0


def files_of(root: Path, area: tuple[str, ...]) -> list[Path]:
    """Return the Python, SQL and Markdown files of an area."""
    found: list[Path] = []
    for name in area:
        top = root / name
        below = [top] if top.is_file() else sorted(top.rglob("*"))
        found += [
            each
            for each in below
            if each.suffix in {".py", ".sql", ".md"} and "node_modules" not in each.parts
        ]
    return found


def language_of(paths: Iterable[Path]) -> Language:
    """Count the words, the avoided ones and the standard terms of some files."""
    total = 0
    avoided: Counter[str] = Counter()
    standard: Counter[str] = Counter()
    for path in paths:
        text = prose.joined(path)
        total += words.words_in(text)
        avoided.update(hit.avoided.name for hit in words.avoided_in(text))
        standard += words.standard_in(text)
    return Language(total, avoided, standard)


def spread(values: list[int]) -> str:
    """Return the median, the 90th percentile and the maximum."""
    if len(values) < 2:
        return " / ".join(str(each) for each in (values * 3)[:3]) or "-"
    cuts = quantiles(values, n=10, method="inclusive")
    return f"{cuts[4]:.0f} / {cuts[8]:.0f} / {max(values)}"


def _per_100(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def of_sizes(modules: list[Module]) -> dict[str, str]:
    """Return files, functions, and the density of comments in each package."""
    lines = sum(module.lines for module in modules)
    functions = [each for module in modules for each in module.functions]
    found = {
        "files": str(len(modules)),
        "lines": str(lines),
        "lines of a file, p50 / p90 / max": spread([module.lines for module in modules]),
        "files > 450 lines": str(sum(1 for module in modules if module.lines > 450)),
        "functions": str(len(functions)),
        "lines of a function, p50 / p90 / max": spread(functions),
        "functions > 60 lines": str(sum(1 for each in functions if each > 60)),
    }
    for package in sorted({module.package for module in modules}):
        own = [module for module in modules if module.package == package]
        size = sum(module.lines for module in own)
        comments = _per_100(sum(module.comment_lines for module in own), size)
        docstrings = _per_100(sum(module.docstring_lines for module in own), size)
        found[f"comment / docstring lines per 100: {package}"] = f"{comments} / {docstrings}"
    return found


def of_structure(modules: list[Module]) -> dict[str, str]:
    """Return duplicate names, aliases, cycles, and lines of SQL boilerplate."""
    aliases = structure.alias_homonyms(modules)
    graph = structure.import_graph(modules)
    files = structure.cycles(graph)
    folders = structure.cycles(structure.of_resource_folders(graph))
    stores = [
        structure.sql_boilerplate(module)
        for module in modules
        if ".resources." in module.name and module.path.name == "store.py"
    ]
    statements = sum(each.statements for each in stores)
    functions = sum(each.functions for each in stores)
    return {
        "duplicate class names": str(len(structure.duplicate_classes(modules))),
        "modules with several aliases": str(len(aliases.of_module)),
        "aliases with several modules": str(len(aliases.of_alias)),
        "import cycles between files (files in them)": _cycles(files),
        "import cycles between resource folders (folders in them)": _cycles(folders),
        "SQL boilerplate: lines of row statements": str(statements),
        "SQL boilerplate: lines of functions that only bind them": str(functions),
        "SQL boilerplate: lines in all": str(statements + functions),
    }


def _cycles(found: list[list[str]]) -> str:
    return f"{len(found)} ({sum(len(each) for each in found)})"


def of_language(root: Path) -> dict[str, str]:
    """Return how the prose of each area is worded."""
    found = {}
    for name, area in AREAS.items():
        language = language_of(files_of(root, area))
        found[f"words of prose: {name}"] = str(language.words)
        found[f"avoided words per 10,000: {name}"] = (
            f"{language.per_10_000(language.avoided):.0f} ({language.avoided.total()})"
        )
        found[f"standard terms per 10,000: {name}"] = (
            f"{language.per_10_000(language.standard):.0f} ({language.standard.total()})"
        )
    return found


def metrics(root: Path) -> dict[str, str]:
    """Return every metric of a tree, in the order of the report."""
    modules = structure.modules_below(root)
    return of_sizes(modules) | of_structure(modules) | of_language(root)


def at_revision(revision: str, measure: Callable[[Path], dict[str, str]]) -> dict[str, str]:
    """Measure the tree of a revision, in a temporary folder."""
    archive = subprocess.run(  # noqa: S603 - a revision of this repository.
        ["git", "archive", "--format=tar", revision],  # noqa: S607
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    ).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
        return measure(Path(folder))


def report(columns: dict[str, dict[str, str]]) -> str:
    """Return the metrics as a table with a column for each tree."""
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    width = max(len(name) for name in names)
    rows = [f"{'':{width}}  " + "".join(f"{title:>18}" for title in columns)]
    for name in names:
        cells = "".join(f"{column.get(name, '-'):>18}" for column in columns.values())
        rows.append(f"{name:{width}}  {cells}")
    return "\n".join(rows)


def details(root: Path) -> str:
    """Return the names behind the metrics of structure, and the avoided words by file."""
    modules = structure.modules_below(root)
    aliases = structure.alias_homonyms(modules)
    graph = structure.import_graph(modules)
    rows = ["duplicate class names:"]
    rows += [f"  {name}: {', '.join(each)}" for name, each in _items(modules)]
    rows.append("modules with several aliases:")
    rows += [f"  {name}: {', '.join(each)}" for name, each in aliases.of_module.items()]
    rows.append("aliases with several modules:")
    rows += [f"  {name}: {', '.join(each)}" for name, each in aliases.of_alias.items()]
    rows.append("import cycles:")
    rows += [f"  {' '.join(each)}" for each in structure.cycles(graph)]
    folders = structure.of_resource_folders(graph)
    rows += [f"  resources: {' '.join(each)}" for each in structure.cycles(folders)]
    for name, area in AREAS.items():
        language = language_of(files_of(root, area))
        for title, counts in (("avoided", language.avoided), ("standard", language.standard)):
            listed = ", ".join(f"{word} {count}" for word, count in counts.most_common())
            rows.append(f"{title} words of {name}: {listed}")
    return "\n".join(rows)


def _items(modules: list[Module]) -> Iterable[tuple[str, list[str]]]:
    return structure.duplicate_classes(modules).items()


def avoided_words(root: Path, chosen: list[str]) -> str:
    """Return where the avoided words of some files or folders are, with a replacement of each."""
    rows = []
    for path in files_of(root, tuple(chosen)):
        for passage in prose.passages(path):
            for hit in words.avoided_in(passage.text):
                line = passage.line + passage.text.count("\n", 0, hit.at)
                place = path.relative_to(root)
                rows.append(f"{place}:{line}: {hit.text.lower()} -> {hit.avoided.instead}")
    return "\n".join([*rows, f"{len(rows)} avoided words"])


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure", description=__doc__)
    parser.add_argument("--against", metavar="REV", help="a revision to compare with")
    parser.add_argument("--details", action="store_true", help="the names behind the metrics")
    parser.add_argument(
        "--words", nargs="+", metavar="PATH", help="list the avoided words of files"
    )
    chosen = parser.parse_args(arguments)
    if chosen.words:
        paths = [str(Path(each).resolve().relative_to(REPOSITORY)) for each in chosen.words]
        print(avoided_words(REPOSITORY, paths))
        return 0
    columns = {}
    if chosen.against:
        columns[chosen.against[:16]] = at_revision(chosen.against, metrics)
    columns["now"] = metrics(REPOSITORY)
    print(report(columns))
    if chosen.details:
        print(details(REPOSITORY))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
