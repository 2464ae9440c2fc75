"""The code as the rules read it: syntax trees, comments, and findings."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REPOSITORY = Path(__file__).resolve().parents[2]

_SKIP = re.compile(r"#\s*tidy:\s*(?P<rule>[a-z-]+)(?:\s+-\s+(?P<reason>\S.*))?\s*$")

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


class Violation(NamedTuple):
    """The place and the reason of one broken rule."""

    path: str
    line: int
    text: str


class Skip(NamedTuple):
    """A comment that allows one finding of one rule, on the line that it applies to."""

    path: str
    line: int
    rule: str
    reason: str | None


@dataclass(frozen=True)
class Source:
    """One file; its path is relative to the repository."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        """The lines, without their ends."""
        return self.text.splitlines()

    @cached_property
    def comments(self) -> dict[int, str]:
        """Each comment, by its line."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {each.start[0]: each.string for each in tokens if each.type == tokenize.COMMENT}

    @cached_property
    def skips(self) -> list[Skip]:
        """The comments that allow a finding. One on a separate line applies to the next code."""
        found = []
        for line, comment in self.comments.items():
            match = _SKIP.match(comment)
            if match:
                place = self._code_from(line)
                found.append(Skip(self.path, place, match["rule"], match["reason"]))
        return found

    def _code_from(self, line: int) -> int:
        while self.lines[line - 1].lstrip().startswith("#"):
            line += 1
        return line

    @cached_property
    def functions(self) -> list[AnyFunction]:
        """Every function and method, nested ones included."""
        return [each for each in ast.walk(self.tree) if isinstance(each, AnyFunction)]

    @cached_property
    def module(self) -> str:
        """The name under which it is imported."""
        name = self.path.removeprefix("src/").removesuffix(".py").replace("/", ".")
        return name.removesuffix(".__init__")

    def found(self, node: ast.expr | ast.stmt, text: str) -> Violation:
        """Return a finding at a node."""
        return Violation(self.path, node.lineno, text)


@dataclass(frozen=True)
class Sources:
    """The files that a rule reads together."""

    files: tuple[Source, ...]

    @classmethod
    def of(cls, texts: dict[str, str]) -> Sources:
        """Create sources from texts by path."""
        return cls(tuple(Source(path, text) for path, text in texts.items()))

    @classmethod
    def below(cls, *folders: str) -> Sources:
        """Read the repository's files below some folders."""
        return cls(tuple(source for folder in folders for source in _files_below(folder)))

    def __iter__(self) -> Iterator[Source]:
        """Iterate over the files."""
        return iter(self.files)


@cache
def _files_below(folder: str) -> tuple[Source, ...]:
    """Read the files once: every rule shares the same trees."""
    return tuple(
        Source(str(path.relative_to(REPOSITORY)), path.read_text())
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        if "node_modules" not in path.parts
    )


@dataclass(frozen=True)
class Rule:
    """One rule: its name, its check, and correct and incorrect samples."""

    name: str
    check: Callable[[Sources], Iterable[Violation]]
    valid: tuple[dict[str, str], ...]
    invalid: tuple[dict[str, str], ...]
    folders: tuple[str, ...] = ("src",)


@dataclass(frozen=True)
class RuleResult:
    """A rule's findings without the skipped ones, and the skips that were used."""

    findings: list[Violation]
    used: set[Skip] = field(default_factory=set)


def judge(rule: Rule, sources: Sources) -> RuleResult:
    """Run a rule, and take off what a skip with a reason allows."""
    skips = {
        (skip.path, skip.line): skip
        for source in sources
        for skip in source.skips
        if skip.rule == rule.name and skip.reason
    }
    verdict = RuleResult([])
    for finding in rule.check(sources):
        skip = skips.get((finding.path, finding.line))
        if skip is None:
            verdict.findings.append(finding)
        else:
            verdict.used.add(skip)
    return verdict


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` of a name or an attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of the nodes that are docstrings."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, owners):
            for statement in node.body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    found.add(id(statement.value))
    return found


def texts(source: Source) -> Iterator[ast.Constant]:
    """Yield every string of a file that is not a docstring."""
    spared = docstrings(source.tree)
    for node in ast.walk(source.tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if isinstance(node, ast.Constant) and is_text and id(node) not in spared:
            yield node


def takes_tx(function: AnyFunction) -> bool:
    """Return whether a function has a transaction parameter."""
    return any(each.arg == "tx" for each in function.args.args)


def own_nodes(function: AnyFunction) -> Iterator[ast.AST]:
    """Yield the nodes of a function without the bodies of the functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, AnyFunction | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
