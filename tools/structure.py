"""Metrics of the structure of the code: sizes, names, aliases, import cycles, SQL boilerplate."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from tools import prose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PACKAGE = "parlour"

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_RULER = re.compile(r"#\s*(?:-{3,}|-+ .* -{3,})")
_DIRECTIVE = re.compile(r"#\s*(?:noqa|type:|pragma|fmt:|ruff:|mypy:)")
_STATEMENT = re.compile(r"\s*(?:INSERT|UPDATE|DELETE)\b")
_BY_KEY = re.compile(
    r"\s*SELECT\s[^()]*\sFROM\s+\w+\s+WHERE\s+\w+ = \$\d+(?:\s+AND\s+\w+ = \$\d+)*\s*\Z"
)
_BUILDERS = {"insert", "update", "delete", "row_update", "upsert", "assignments", "columns_without"}
_TX = re.compile(r"tx\.\w+\Z|values_of\Z|len\Z|bool\Z|int\Z|tuple\Z")


@dataclass(frozen=True)
class Module:
    """One Python file below ``src``."""

    path: Path
    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> int:
        """The number of lines."""
        return len(self.text.splitlines())

    @property
    def package(self) -> str:
        """The first folder below the package."""
        folders = self.path.parent.parts
        below = folders[len(folders) - folders[::-1].index("src") + 1 :] if "src" in folders else ()
        return below[0] if below else "(top)"

    @cached_property
    def functions(self) -> list[int]:
        """The lines of each function and method."""
        return [
            (node.end_lineno or node.lineno) - node.lineno + 1
            for node in ast.walk(self.tree)
            if isinstance(node, _FUNCTIONS)
        ]

    @cached_property
    def comment_lines(self) -> int:
        """Lines with a comment that is no directive to a tool and no ruler."""
        return sum(1 for each in prose.comments(self.text) if not _RULER.match(f"# {each.text}"))

    @cached_property
    def docstring_lines(self) -> int:
        """Lines of docstrings."""
        return sum(len(each.text.splitlines()) for each in prose.docstrings(self.tree))


def modules_below(root: Path) -> list[Module]:
    """Return the package's files of a tree."""
    found = []
    for path in sorted((root / "src" / PACKAGE).rglob("*.py")):
        name = ".".join(path.relative_to(root / "src").with_suffix("").parts)
        found.append(Module(path, name.removesuffix(".__init__"), path.read_text()))
    return found


def duplicate_classes(modules: Iterable[Module]) -> dict[str, list[str]]:
    """Return each class name that several modules define at their top, with the modules."""
    found: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(module.name)
    return {name: places for name, places in sorted(found.items()) if len(places) > 1}


class Aliases(NamedTuple):
    """Names under which modules of the package are imported."""

    of_module: dict[str, list[str]]
    """Modules with several aliases."""
    of_alias: dict[str, list[str]]
    """Aliases of several modules."""


def _module_imports(module: Module, names: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the module and the alias of each import of a whole module of the package."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for each in node.names:
                full = f"{node.module}.{each.name}"
                if full in names:
                    yield full, each.asname or each.name
        elif isinstance(node, ast.Import):
            for each in node.names:
                if each.name in names and each.asname:
                    yield each.name, each.asname


def alias_homonyms(modules: list[Module]) -> Aliases:
    """Return modules with several aliases, and aliases with several modules."""
    names = {module.name for module in modules}
    of_module: dict[str, set[str]] = defaultdict(set)
    of_alias: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        for full, alias in _module_imports(module, names):
            of_module[full].add(alias)
            of_alias[alias].add(full)
    return Aliases(
        {name: sorted(each) for name, each in sorted(of_module.items()) if len(each) > 1},
        {name: sorted(each) for name, each in sorted(of_alias.items()) if len(each) > 1},
    )


def _run_time_imports(module: Module, names: set[str]) -> Iterator[str]:
    """Yield the modules that a module imports when it is imported itself."""
    waiting: list[ast.stmt] = list(module.tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for each in node.names:
                full = f"{node.module}.{each.name}"
                yield full if full in names else node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
        elif isinstance(node, ast.If | ast.Try):
            waiting.extend((*node.body, *node.orelse))


def import_graph(modules: list[Module]) -> dict[str, set[str]]:
    """Return which module imports which at run time, at module level."""
    names = {module.name for module in modules}
    return {
        module.name: {each for each in _run_time_imports(module, names) if each in names}
        - {module.name}
        for module in modules
    }


def of_resource_folders(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the graph between the folders of ``resources``."""
    prefix = f"{PACKAGE}.resources."
    found: dict[str, set[str]] = defaultdict(set)
    for name, imported in graph.items():
        if name.startswith(prefix):
            folder = name.removeprefix(prefix).split(".")[0]
            others = {
                each.removeprefix(prefix).split(".")[0]
                for each in imported
                if each.startswith(prefix)
            }
            found[folder] |= others - {folder}
    for each in [other for others in found.values() for other in others]:
        found.setdefault(each, set())
    return dict(found)


def _visit(name: str, edges: dict[str, set[str]], seen: set[str]) -> list[str]:
    """Return the reachable unseen names, each after the names that it leads to."""
    out: list[str] = []
    stack = [(name, iter(sorted(edges.get(name, ()))))]
    seen.add(name)
    while stack:
        current, rest = stack[-1]
        other = next((each for each in rest if each not in seen), None)
        if other is None:
            out.append(current)
            stack.pop()
        else:
            seen.add(other)
            stack.append((other, iter(sorted(edges.get(other, ())))))
    return out


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components with more than one member (Kosaraju)."""
    seen: set[str] = set()
    order = [
        each for name in sorted(graph) if name not in seen for each in _visit(name, graph, seen)
    ]
    reverse: dict[str, set[str]] = defaultdict(set)
    for name, others in graph.items():
        for other in others:
            reverse[other].add(name)
    seen = set()
    found = [_visit(name, reverse, seen) for name in reversed(order) if name not in seen]
    return sorted(sorted(each) for each in found if len(each) > 1)


class Boilerplate(NamedTuple):
    """Lines of one store that a derived table would make unnecessary."""

    statements: int
    functions: int


def sql_boilerplate(module: Module) -> Boilerplate:
    """Count the lines of row statements, and of the functions that only bind them.

    A row statement is a constant that inserts, updates or deletes, or selects by equality of
    columns and nothing else. A function only binds one if it does nothing but run a statement of
    its module, check the count, and return the result or the record made of the row.
    """
    statements = functions = 0
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and _is_row_statement(node.value):
            statements += _lines(node)
        elif isinstance(node, _FUNCTIONS) and _only_binds(node):
            functions += _lines(node)
    return Boilerplate(statements, functions)


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_row_statement(value: ast.expr) -> bool:
    if isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in _BUILDERS:
        return True
    for each in ast.walk(value):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            return bool(_STATEMENT.match(each.value) or _BY_KEY.match(each.value))
    return False


def _only_binds(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    body = [node for node in function.body if not _is_text(node) and not _is_check(node)]
    if not body or len(body) > 2:
        return False
    calls = [
        ast.unparse(each.func)
        for node in body
        for each in ast.walk(node)
        if isinstance(each, ast.Call)
    ]
    runs = [name for name in calls if name.startswith("tx.")]
    others = [name for name in calls if not _TX.match(name) and not re.match(r"[A-Z]\w+\Z", name)]
    return len(runs) == 1 and not others


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_check(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assert)
