"""Rules about time, secrets, limits and length."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.tidy.sources import Rule, Source, Sources, Violation, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK = "src/parlour/vocabulary/clock.py"

_CLOCKS = re.compile(
    r"(time\.(time|time_ns|monotonic|monotonic_ns|perf_counter|perf_counter_ns|sleep)"
    r"|(datetime\.)?(datetime|date)\.(now|utcnow|today)"
    r"|os\.urandom|uuid\.uuid[1-8])\Z"
)
_CHANCE = {"random", "secrets", "uuid"}
_BY_NAME = {"time": _CLOCKS, "os": _CLOCKS, "uuid": _CLOCKS}

_SECRET = re.compile(r"token|secret|signature|digest|password", re.IGNORECASE)
_UNBOUNDED = {"deque": "maxlen", "Queue": "maxsize", "LifoQueue": "maxsize"}

LINES_MAX = 450
FUNCTION_LINES_MAX = 60
COLUMNS_MAX = 100
POSITIONAL_MAX = 6


def no_wall_clock(sources: Sources) -> Iterator[Violation]:
    """Time and randomness are passed in, so that a week of retries is a short test."""
    for source in sources:
        if source.path == CLOCK:
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Import):
                for each in node.names:
                    if each.name in _CHANCE:
                        yield source.found(node, f"import {each.name}")
            elif isinstance(node, ast.ImportFrom):
                yield from _imported_by_name(source, node)
            elif isinstance(node, ast.Call) and _CLOCKS.match(dotted(node.func)):
                yield source.found(node, f"{dotted(node.func)}()")


def _imported_by_name(source: Source, node: ast.ImportFrom) -> Iterator[Violation]:
    if node.module in _CHANCE:
        yield source.found(node, f"from {node.module} import")
        return
    for each in node.names:
        if node.module in _BY_NAME and _CLOCKS.match(f"{node.module}.{each.name}"):
            yield source.found(node, f"from {node.module} import {each.name}")


def constant_time(sources: Sources) -> Iterator[Violation]:
    """Secrets are compared in constant time: ``hmac.compare_digest``."""
    for source in sources:
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Compare):
                continue
            if not all(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
                continue
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Constant) for side in sides):
                continue  # A text compared with a constant is no secret.
            named = [dotted(side).rpartition(".")[2] for side in sides]
            if any(_SECRET.search(name) for name in named):
                yield source.found(node, ast.unparse(node))


def bounded(sources: Sources) -> Iterator[Violation]:
    """Every queue has a size, and every endless loop documents what ends it."""
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call):
                name = dotted(node.func).rpartition(".")[2]
                bound = _UNBOUNDED.get(name)
                if bound is not None and not _has_bound(node, name, bound):
                    yield source.found(node, f"{name} without {bound}")
            elif isinstance(node, ast.While) and _is_endless(node) and not _ends(source, node):
                yield source.found(node, "nothing says what ends this loop")


def _has_bound(node: ast.Call, name: str, bound: str) -> bool:
    positional_needed = 2 if name == "deque" else 1
    return len(node.args) >= positional_needed or any(each.arg == bound for each in node.keywords)


def _is_endless(node: ast.While) -> bool:
    return isinstance(node.test, ast.Constant) and bool(node.test.value)


def _ends(source: Source, node: ast.While) -> bool:
    comment = source.comments.get(node.lineno) or source.comments.get(node.lineno - 1) or ""
    in_words = bool(re.match(r"#\s*Ends\b", comment))
    return in_words or any("limits." in ast.unparse(each) for each in node.body)


def no_kept_exception(sources: Sources) -> Iterator[Violation]:
    """A stored exception that is raised again loses its traceback first.

    Each ``raise`` adds to it: it would grow indefinitely, and keep all frames alive.
    """
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Raise) and _is_kept(node.exc):
                yield source.found(node, ast.unparse(node))


def _is_kept(raised: ast.expr | None) -> bool:
    """Return whether this is no new exception, no class and no local name."""
    if isinstance(raised, ast.Attribute):
        return not re.match(r"[A-Z]\w*[a-z]", raised.attr)
    if isinstance(raised, ast.Name):
        return raised.id.isupper()
    return isinstance(raised, ast.Subscript)


def json_errors(sources: Sources) -> Iterator[Violation]:
    """JSON that cannot be decoded raises three errors, of which a deep nesting is no ValueError.

    msgspec raises its DecodeError, UnicodeDecodeError and RecursionError: a handler names
    ``(ValueError, RecursionError)``, which are all of them.
    """
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                each = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                if {"msgspec.DecodeError", "DecodeError"} & {dotted(one) for one in each}:
                    yield source.found(node, ast.unparse(node.type))


def abstract_hooks(sources: Sources) -> Iterator[Violation]:
    """A hook of subclasses is an abstract method, so that mypy finds a missing override."""
    for source in sources:
        if not source.path.startswith("src/"):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Raise) and node.exc is not None:
                raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                if dotted(raised) == "NotImplementedError":
                    yield source.found(node, "NotImplementedError instead of @abstractmethod")


def short(sources: Sources) -> Iterator[Violation]:
    """Files and functions stay below their maximum length."""
    for source in sources:
        if len(source.lines) > LINES_MAX:
            yield Violation(source.path, 1, f"{len(source.lines)} lines")
        for number, line in enumerate(source.lines, 1):
            if len(line) > COLUMNS_MAX:
                yield Violation(source.path, number, f"{len(line)} columns")
        for function in source.functions:
            lines = (function.end_lineno or 0) - function.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield source.found(function, f"{function.name} has {lines} lines")
            positional = [*function.args.posonlyargs, *function.args.args]
            count = len([each for each in positional if each.arg not in {"self", "cls"}])
            if count > POSITIONAL_MAX:
                yield source.found(function, f"{function.name} has {count} positional parameters")


RULES = (
    Rule(
        "no-wall-clock",
        no_wall_clock,
        valid=(
            {"a.py": "now = tx.now"},
            {"a.py": "sid = self.random.sid(PREFIX)"},
            {"a.py": "moment = datetime.fromisoformat(text)"},
            {CLOCK: "import secrets\nimport time\nnow = time.time_ns()"},
        ),
        invalid=(
            {"a.py": "now = time.time()"},
            {"a.py": "from time import time"},
            {"a.py": "now = datetime.now(UTC)"},
            {"a.py": "now = datetime.datetime.utcnow()"},
            {"a.py": "import random"},
            {"a.py": "from secrets import token_hex"},
            {"a.py": "sid = os.urandom(16)"},
            {"a.py": "from uuid import uuid4"},
        ),
    ),
    Rule(
        "constant-time",
        constant_time,
        valid=(
            {"a.py": "hmac.compare_digest(token, expected)"},
            {"a.py": 'if auth_token == "": ...'},
            {"a.py": "if sid == other.sid: ..."},
        ),
        invalid=(
            {"a.py": "if auth_token == expected: ..."},
            {"a.py": "if expected != login.secret_digest: ..."},
            {"a.py": "same = signature == made"},
        ),
    ),
    Rule(
        "bounded",
        bounded,
        valid=(
            {"a.py": "a = deque(maxlen=10)"},
            {"a.py": "a = deque([], 10)"},
            {"a.py": "a = asyncio.Queue(limits.FRAMES_MAX)"},
            {"a.py": "while True:  # Ends with the body.\n    step()"},
            {"a.py": "# Ends with the last page.\nwhile True:\n    step()"},
            {"a.py": "while True:\n    if count > limits.STEPS_MAX: break"},
            {"a.py": "while waiting: step()"},
        ),
        invalid=(
            {"a.py": "a = deque()"},
            {"a.py": "a = deque(found)"},
            {"a.py": "a = asyncio.Queue()"},
            {"a.py": "while True: step()"},
            {"a.py": "while True:  # Goes on.\n    step()"},
            {"a.py": "while 1: step()"},
        ),
    ),
    Rule(
        "no-kept-exception",
        no_kept_exception,
        valid=(
            {"a.py": "raise ApiError(20404)"},
            {"a.py": "raise errors.Gone"},
            {"a.py": "raise Gone from error"},
            {"a.py": "raise error"},
            {"a.py": "raise"},
            {"a.py": "raise self._failure.with_traceback(None)"},
            {"a.py": "raise KINDS[code]()"},
        ),
        invalid=(
            {"a.py": "raise self._failure"},
            {"a.py": "raise self.call.parsed from None"},
            {"a.py": "raise FULL[status]"},
            {"a.py": "raise FULL"},
            {"a.py": "raise errors.FULL"},
        ),
    ),
    Rule(
        "json-errors",
        json_errors,
        valid=(
            {"a.py": "try:\n    decode(text)\nexcept (ValueError, RecursionError):\n    pass"},
            {"a.py": "try:\n    decode(text)\nexcept TOMLDecodeError:\n    pass"},
        ),
        invalid=(
            {"a.py": "try:\n    decode(text)\nexcept msgspec.DecodeError:\n    pass"},
            {"a.py": "try:\n    decode(text)\nexcept (DecodeError, OSError):\n    pass"},
        ),
    ),
    Rule(
        "abstract-hooks",
        abstract_hooks,
        valid=(
            {"src/a.py": "class A(ABC):\n    @abstractmethod\n    def f(self): ..."},
            {"src/a.py": "def f(): raise ValueError\ndef g():\n    raise"},
            {"tests/a.py": "def f(): raise NotImplementedError"},
        ),
        invalid=(
            {"src/a.py": "def f(): raise NotImplementedError"},
            {"src/a.py": "def f(): raise NotImplementedError('later')"},
        ),
    ),
    Rule(
        "short",
        short,
        valid=(
            {"a.py": "a = 1\n" * LINES_MAX},
            {"a.py": "def f(self, a, b, c, d, e, f): ..."},
            {"a.py": "def f(a, b, *, c, d, e, f, g): ..."},
            {"a.py": "def f():\n" + "    step()\n" * (FUNCTION_LINES_MAX - 1)},
        ),
        invalid=(
            {"a.py": "a = 1\n" * (LINES_MAX + 1)},
            {"a.py": "def f(a, b, c, d, e, f, g): ..."},
            {"a.py": "def f():\n" + "    step()\n" * FUNCTION_LINES_MAX},
            {"a.py": f"a = '{'x' * COLUMNS_MAX}'"},
        ),
        folders=("src", "tests", "bench", "tools", "testkit"),
    ),
)
