"""Rules about what a change may wait for, and that it emits an event."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.tidy.sources import (
    AnyFunction,
    Rule,
    Source,
    Sources,
    Violation,
    dotted,
    own_nodes,
    takes_tx,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

RESOURCES = "src/parlour/resources/"
_WRITERS = {"inserter", "updater", "changes_updater", "saver", "deleter"}
"""The methods of ``store/table.py`` whose functions write rows."""
_EMITTERS = {"change_emitter", "settings_saver"}
"""The functions of ``resources/changes.py`` whose functions emit an event."""


def no_await_outside_tx(sources: Sources) -> Iterator[Violation]:
    """Code inside a transaction awaits only the transaction."""
    for source in sources:
        if source.path.startswith("src/parlour/store/"):
            continue
        for function in filter(takes_tx, source.functions):
            for node in own_nodes(function):
                if isinstance(node, ast.AsyncFor | ast.AsyncWith):
                    yield source.found(node, f"{function.name} waits for something but tx")
                elif isinstance(node, ast.Await) and not _is_of_transaction(node.value):
                    text = f"{function.name} waits for {ast.unparse(node.value)[:60]}"
                    yield source.found(node, text)


def _is_of_transaction(awaited: ast.expr) -> bool:
    """Return whether a call is on ``tx`` itself, or passes ``tx`` as its first argument."""
    if not isinstance(awaited, ast.Call):
        return False
    if dotted(awaited.func).startswith("tx."):
        return True
    return bool(awaited.args) and dotted(awaited.args[0]) == "tx"


@dataclass
class _Function:
    """The calls of one function, and its own effects."""

    source: Source
    definition: AnyFunction | ast.stmt
    calls: set[str] = field(default_factory=set)
    callers: set[str] = field(default_factory=set)
    runs: bool = False
    emits: bool = False

    @property
    def is_of_store(self) -> bool:
        return self.source.path.endswith(("/store.py", "_store.py"))


class _Calls:
    """The call graph of the resources, by full name."""

    def __init__(self, sources: Sources) -> None:
        files = [source for source in sources if source.path.startswith(RESOURCES)]
        self.functions: dict[str, _Function] = {}
        for source in files:
            for node in source.tree.body:
                if isinstance(node, AnyFunction):
                    self.functions[f"{source.module}.{node.name}"] = _Function(source, node)
                elif (name := _derived(node, _WRITERS)) is not None:
                    self.functions[f"{source.module}.{name}"] = _Function(source, node, runs=True)
                elif (name := _derived(node, _EMITTERS)) is not None:
                    self.functions[f"{source.module}.{name}"] = _Function(source, node, emits=True)
        for source in files:
            self._read(source)
        for name, function in self.functions.items():
            for called in function.calls:
                self.functions[called].callers.add(name)

    def _read(self, source: Source) -> None:
        names = _imported(source)
        for node in source.tree.body:
            if not isinstance(node, AnyFunction):
                continue
            function = self.functions[f"{source.module}.{node.name}"]
            for each in ast.walk(node):
                if isinstance(each, ast.Call):
                    self._record(function, dotted(each.func), names)

    def _record(self, function: _Function, name: str, names: dict[str, str]) -> None:
        function.runs = function.runs or name == "tx.run"
        function.emits = function.emits or name == "tx.emit"
        first, dot, rest = name.partition(".")
        full = f"{names.get(first, f'{function.source.module}.{first}')}{dot}{rest}"
        if full in self.functions:
            function.calls.add(full)

    def does(self, name: str, what: str, seen: frozenset[str] = frozenset()) -> bool:
        """Return whether a function runs or emits, directly or through a callee."""
        function = self.functions[name]
        if getattr(function, what):
            return True
        seen |= {name}
        return any(self.does(each, what, seen) for each in function.calls - seen)

    def writes(self, name: str) -> bool:
        """Return whether a function changes rows, directly or through a store."""
        function = self.functions[name]
        of_store = (each for each in function.calls if self.functions[each].is_of_store)
        return function.runs or any(self.does(each, "runs") for each in of_store)

    def is_reported(self, name: str, seen: frozenset[str] = frozenset()) -> bool:
        """Return whether the change emits: here, below, or in each caller."""
        if self.does(name, "emits"):
            return True
        seen |= {name}
        callers = self.functions[name].callers - seen
        return bool(callers) and all(self.is_reported(each, seen) for each in callers)


def _derived(node: ast.stmt, makers: set[str]) -> str | None:
    """Return the name of a function that a file takes from one of these makers of functions."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
        return None
    _, _, method = dotted(node.value.func).rpartition(".")
    return dotted(node.targets[0]) if method in makers else None


def _imported(source: Source) -> dict[str, str]:
    """The imports of a file: modules, and functions of modules, by local name."""
    found = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                found[each.asname or each.name] = f"{node.module}.{each.name}"
    return found


def event_for_change(sources: Sources) -> Iterator[Violation]:
    """A change that emits no event never reaches a webhook, a socket or a carrier."""
    calls = _Calls(sources)
    for name, function in calls.functions.items():
        if function.is_of_store or not calls.writes(name):
            continue
        if not calls.is_reported(name):
            text = f"{name.rpartition('.')[2]} changes rows without an event"
            yield function.source.found(function.definition, text)


_ACTIONS = f"{RESOURCES}roles/actions.py"
_ROLES = {f"{RESOURCES}roles/store.py": "async def add(tx, scope, role): await tx.run(INSERT)"}
_DERIVED = {f"{RESOURCES}roles/store.py": "insert_role = TABLE.inserter()"}
_IMPORT = "from parlour.resources.roles import store\n"
_CREATE = "async def create(tx):\n  await store.add(tx)\n  await tx.emit()"

RULES = (
    Rule(
        "no-await-outside-tx",
        no_await_outside_tx,
        valid=(
            {"a.py": "async def f(tx, call): await tx.run(A, 1)"},
            {"a.py": "async def f(tx, call): return await store.find(tx, call.scope)"},
            {"a.py": "async def f(client): await client.post(URL)"},
            {
                "a.py": "async def f(tx):\n"
                "    async def later(client): await client.post(URL)\n"
                "    return later"
            },
        ),
        invalid=(
            {"a.py": "async def f(tx, client): await client.post(URL)"},
            {"a.py": "async def f(tx): await asyncio.sleep(1)"},
            {"a.py": "async def f(tx, task): await task"},
            {"a.py": "async def f(tx, lock):\n    async with lock: await tx.run(A)"},
            {"a.py": "async def g(s):\n    async def w(tx): await s.read()\n    await s.write(w)"},
        ),
    ),
    Rule(
        "event-for-change",
        event_for_change,
        valid=(
            _ROLES | {_ACTIONS: _IMPORT + _CREATE},
            _DERIVED
            | {
                _ACTIONS: f"{_IMPORT}async def create(tx):\n  await store.insert_role(tx)\n"
                "  await tx.emit()"
            },
            _ROLES
            | {
                _ACTIONS: f"{_IMPORT}async def _save(tx): await store.add(tx)\n"
                "async def create(tx):\n  await _save(tx)\n  await tx.emit()"
            },
            _ROLES
            | {
                _ACTIONS: f"{_IMPORT}_emit = change_emitter(Role, EVENT)\n"
                "async def create(tx):\n  await store.add(tx)\n  await _emit(tx)"
            },
            _ROLES | {_ACTIONS: "async def fetch(tx): return await store.find(tx)"},
        ),
        invalid=(
            _ROLES | {_ACTIONS: f"{_IMPORT}async def create(tx): await store.add(tx)"},
            _ROLES
            | {
                _ACTIONS: f"{_IMPORT}_emit = change_printer(Role, EVENT)\n"
                "async def create(tx):\n  await store.add(tx)\n  await _emit(tx)"
            },
            {_ACTIONS: "async def delete(tx): await tx.run(DELETE)"},
            _DERIVED | {_ACTIONS: f"{_IMPORT}async def create(tx): await store.insert_role(tx)"},
            _ROLES
            | {
                _ACTIONS: f"{_IMPORT}async def _save(tx): await store.add(tx)\n"
                "async def create(tx):\n  await _save(tx)\n  await tx.emit()\n"
                "async def copy(tx): await _save(tx)"
            },
        ),
    ),
)
