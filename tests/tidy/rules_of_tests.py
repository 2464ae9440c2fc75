"""Rules about tests and benchmarks that share a machine."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.tidy.sources import Rule, Violation, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tidy.sources import AnyFunction, Source, Sources

_FINDERS = re.compile(r"(find_)?(free|unused|available)_(tcp_|udp_)?ports?(_factory)?")
_ADDRESS = {"getsockname", "server_address", "server_port"}


def no_found_port(sources: Sources) -> Iterator[Violation]:
    """A port is not used after its socket is closed: another test may bind it."""
    for source in sources:
        # Most files have none of the words, and a search of the text is much faster.
        if "port" in source.text and _FINDERS.search(source.text):
            yield from _finders(source)
        if any(word in source.text for word in _ADDRESS):
            for function in source.functions:
                yield from _outlived(source, function)


def _finders(source: Source) -> Iterator[Violation]:
    for node in ast.walk(source.tree):
        name = _name_of(node)
        if name and _FINDERS.fullmatch(name):
            assert isinstance(node, ast.expr | ast.stmt)
            yield source.found(node, f"{name} finds a port that is anybody's")


def _name_of(node: ast.AST) -> str:
    """The names that are called, defined or requested as fixtures."""
    if isinstance(node, ast.Call):
        return dotted(node.func).rpartition(".")[2]
    return node.name if isinstance(node, ast.FunctionDef) else ""


def _outlived(source: Source, function: AnyFunction) -> Iterator[Violation]:
    """Uses of a socket's port after the end of its block, or after its ``close``."""
    for name, first, last in _lives(function):
        inside = [node for node in ast.walk(function) if first <= _line(node) <= last]
        ports = {
            target.id
            for node in inside
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
            if _reads_port(node.value, name)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                if node.id in ports and node.lineno > last:
                    yield source.found(node, f"{node.id} is used after {name} is closed")
            elif isinstance(node, ast.Return) and node.value is not None and node in inside:
                is_found = _reads_port(node.value, name) or _loads(node.value) & ports
                if is_found:
                    yield source.found(node, f"a port is returned, and {name} is closed")


def _lives(function: AnyFunction) -> Iterator[tuple[str, int, int]]:
    """Return each socket that a function closes: its name, and its range of lines."""
    for node in ast.walk(function):
        if isinstance(node, ast.With):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name) and _is_socket(item.context_expr):
                    yield item.optional_vars.id, node.lineno, node.end_lineno or node.lineno
        elif isinstance(node, ast.Assign) and _is_socket(node.value):
            for target in node.targets:
                for close in ast.walk(function):
                    name = dotted(target)
                    if isinstance(close, ast.Call) and dotted(close.func) == f"{name}.close":
                        yield name, node.lineno, close.lineno


def _is_socket(made: ast.expr) -> bool:
    """A socket, or the reserved port in its place."""
    if not isinstance(made, ast.Call):
        return False
    name = dotted(made.func).rpartition(".")[2]
    return name in {"socket", "create_server", "ReservedPort"} or name.endswith("Server")


def _reads_port(value: ast.expr, name: str) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in _ADDRESS and dotted(node.value) == name
        for node in ast.walk(value)
    )


def _loads(value: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def no_endless_receive(sources: Sources) -> Iterator[Violation]:
    """Received bytes are checked for the end of the stream: ``recv`` returns b"" indefinitely."""
    for source in sources:
        nodes = ast.walk(source.tree) if ".recv(" in source.text else ()
        for node in nodes:
            if not isinstance(node, ast.While):
                continue
            for inner in ast.walk(node):
                if isinstance(inner, ast.AugAssign) and _receives(inner.value):
                    yield source.found(inner, "a connection that ended is read for ever")


def _receives(value: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Call) and dotted(node.func).endswith(".recv")
        for node in ast.walk(value)
    )


def packages_of_tests(sources: Sources) -> Iterator[Violation]:
    """Folders with tests are packages, up to the top: two files of one name collide elsewhere."""
    paths = {source.path for source in sources}
    for path in sorted(paths):
        *folders, name = path.split("/")
        if not name.startswith("test_"):
            continue
        for depth in range(1, len(folders) + 1):
            package = "/".join((*folders[:depth], "__init__.py"))
            if package not in paths:
                yield Violation(path, 1, f"there is no {package}")


_BIND = 'with socket.socket() as probe:\n        probe.bind(("127.0.0.1", 0))\n        '
_MAKE = 'def f():\n    server = socket.create_server(("127.0.0.1", 0))\n    '

RULES = (
    Rule(
        "no-found-port",
        no_found_port,
        valid=(
            {"a.py": f"def f():\n    {_BIND}probe.listen()\n        use(probe.getsockname()[1])"},
            {"a.py": f"def f():\n    {_BIND}port = probe.getsockname()[1]\n        use(port)"},
            {"a.py": f"{_MAKE}port = server.getsockname()[1]\n    use(port)\n    server.close()"},
            {"a.py": f"{_MAKE}return server"},
            {"a.py": "def f():\n    port = ReservedPort()\n    return Process(port=port)"},
        ),
        invalid=(
            {"a.py": f"def f():\n    {_BIND}return probe.getsockname()[1]"},
            {"a.py": f"def f():\n    {_BIND}port = probe.getsockname()[1]\n        return port"},
            {"a.py": f"def f():\n    {_BIND}port = probe.getsockname()[1]\n    return port"},
            {"a.py": f"def f():\n    {_BIND}port: int = probe.getsockname()[1]\n    use(port)"},
            {"a.py": f"{_MAKE}port = server.getsockname()[1]\n    server.close()\n    use(port)"},
            {"a.py": "from x import free_port\nport = free_port()"},
            {"a.py": "def free_port(): ..."},
            {"a.py": "port = support.find_free_port()"},
        ),
        folders=("src", "tests", "bench"),
    ),
    Rule(
        "no-endless-receive",
        no_endless_receive,
        valid=(
            {"a.py": "while True:\n    piece = made.recv(9)\n    assert piece\n    got += piece"},
            {"a.py": "got += made.recv(9)"},
        ),
        invalid=(
            {"a.py": "while left:\n    got += made.recv(9)"},
            {"a.py": "while left:\n    got += len(a.socket.recv(9))"},
        ),
        folders=("tests", "bench"),
    ),
    Rule(
        "packages-of-tests",
        packages_of_tests,
        valid=(
            {"tests/__init__.py": "", "tests/a/__init__.py": "", "tests/a/test_b.py": ""},
            {"tests/a/launch.py": ""},
        ),
        invalid=(
            {"tests/__init__.py": "", "tests/a/test_b.py": ""},
            {"tests/a/__init__.py": "", "tests/a/test_b.py": ""},
        ),
        folders=("tests",),
    ),
)
