"""Rules about names: of modules, of classes, and of objects in an API path."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.tidy.sources import Rule, Sources, Violation, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARSERS = {"sids.is_sid", "sids.parse"}


def sid_then_name(sources: Sources) -> Iterator[Violation]:
    """A text in the form of a sid may be a name: it is looked up as a sid first, then as a name."""
    for source in sources:
        for function in source.functions:
            called = {
                dotted(each.func) for each in ast.walk(function) if isinstance(each, ast.Call)
            }
            if not called & _PARSERS:
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.If | ast.IfExp) and _about_sid(node.test):
                    yield from (
                        source.found(each, f"{dotted(each.func)}: never for a text like a sid")
                        for each in _look_ups_by_name(node.orelse)
                    )


def _about_sid(test: ast.expr) -> bool:
    names = {dotted(each) for each in ast.walk(test) if isinstance(each, ast.expr)}
    return bool(names & {"sid", "normal_sid", "sids.is_sid", "sids.parse"})


def _look_ups_by_name(orelse: list[ast.stmt] | ast.expr) -> Iterator[ast.Call]:
    for branch in orelse if isinstance(orelse, list) else [orelse]:
        for node in ast.walk(branch):
            if isinstance(node, ast.Call) and "_by_" in dotted(node.func):
                yield node


_PACKAGE = "src/parlour/"
_RESOURCES = "parlour.resources."


def module_alias(sources: Sources) -> Iterator[Violation]:
    """A module has one alias in all files, an alias one module, so that callers can be grepped.

    The alias of a resource's file is ``<resource>_<file>``, with the resource in the singular.
    """
    modules = {each.module for each in sources if each.path.startswith(_PACKAGE)}
    aliases: dict[str, str] = {}
    owners: dict[str, str] = {}
    for source in sources:
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            for each in node.names:
                module, alias = f"{node.module}.{each.name}", each.asname or each.name
                if module not in modules:
                    continue
                wanted = _resource_aliases(module)
                if wanted and alias not in wanted:
                    yield source.found(node, f"{module} as {alias}, not {wanted[-1]}")
                elif aliases.setdefault(module, alias) != alias:
                    yield source.found(node, f"{module} as {alias}, elsewhere {aliases[module]}")
                elif owners.setdefault(alias, module) != module:
                    yield source.found(node, f"{alias} is {module} here, elsewhere {owners[alias]}")


def _resource_aliases(module: str) -> tuple[str, ...]:
    """Return the aliases that a file of a resource may have; none for another module."""
    resource, dot, file = module.removeprefix(_RESOURCES).partition(".")
    if not module.startswith(_RESOURCES) or not dot:
        return ()
    stem, is_regular = resource.removesuffix("ies"), not resource.endswith("ies")
    singular = resource.removesuffix("s") if is_regular else f"{stem}y"
    return tuple(dict.fromkeys((f"{resource}_{file}", f"{singular}_{file}")))


def one_class_per_name(sources: Sources) -> Iterator[Violation]:
    """A class name belongs to one class, so that its uses can be grepped."""
    places: dict[str, str] = {}
    for source in sources:
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.ClassDef):
                continue
            if places.setdefault(node.name, source.path) != source.path:
                yield source.found(node, f"{node.name} is also a class of {places[node.name]}")


_LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
# Irregular participles are listed, as nouns like "feed" are none.
_EVENT_NAME = re.compile(
    r"unhandled_exception|[a-z]+(_[a-z0-9]+)*_([a-z]*[^e_]ed|lost|sent)(_out|_back)?"
)


def log_event_name(sources: Sources) -> Iterator[Violation]:
    """A log event is ``noun_failed`` or ``noun_<past participle>``, which operators search for."""
    for source in sources:
        for node in ast.walk(source.tree):
            match node:
                case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]) if _logs(
                    function
                ) and not _EVENT_NAME.fullmatch(name):
                    yield source.found(node, f"{name!r}: write noun_failed or noun_<participle>")


def _logs(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(value=ast.Call(func=logger), attr=method):
            return dotted(logger) == "structlog.get_logger" and method in _LOG_METHODS
        case ast.Attribute(value=ast.Name(id="log"), attr=method):
            return method in _LOG_METHODS
        case _:
            return dotted(function) == "failures_logged"


_START = "async def in_path(tx, call):\n    sid = sids.parse(sids.USER, call.path['Sid'])\n"

RULES = (
    Rule(
        "sid-then-name",
        sid_then_name,
        valid=(
            {
                "a.py": f"{_START}    found = None\n    if sid is not None:\n"
                "        found = await store.find(tx, sid)\n    if found is None:\n"
                "        found = await store.find_by_identity(tx, call.path['Sid'])"
            },
            {
                "a.py": f"{_START}    if sid is not None:\n"
                "        found = await store.find(tx, sid)\n    else:\n        found = None"
            },
            {
                "a.py": "def f(sid):\n    if sid:\n        find(sid)\n"
                "    else:\n        find_by_name(1)"
            },
        ),
        invalid=(
            {
                "a.py": "def in_path(prefix, find, find_by_name):\n"
                "    async def look_up(tx, call):\n"
                "        sid = sids.parse(prefix, call.path['Sid'])\n"
                "        if sid is not None:\n            return await find(tx, call.scope, sid)\n"
                "        else:\n            return await find_by_name(tx, call.scope, 'a')\n"
                "    return look_up"
            },
            {
                "a.py": f"{_START}    if sid is not None:\n"
                "        found = await store.find(tx, sid)\n    else:\n"
                "        found = await store.find_by_identity(tx, call.path['Sid'])"
            },
            {
                "a.py": "async def f(tx, text):\n    if sids.is_sid(sids.USER, text):\n"
                "        return await store.find(tx, text)\n"
                "    elif text:\n        return await store.find_by_identity(tx, text)"
            },
            {
                "a.py": "def f(text):\n    return find(text) if sids.is_sid(sids.USER, text)"
                " else find_by_name(text)"
            },
        ),
    ),
    Rule(
        "module-alias",
        module_alias,
        valid=(
            {
                f"{_PACKAGE}resources/roles/store.py": "",
                "tests/a.py": "from parlour.resources.roles import store as role_store",
                "tests/b.py": "from parlour.resources.roles import store as role_store",
            },
            {"tests/a.py": "from json import decoder as store\nfrom parlour.clock import Clock"},
            {
                f"{_PACKAGE}resources/media/store.py": "",
                "tests/a.py": "from parlour.resources.media import store as media_store",
            },
            {
                f"{_PACKAGE}resources/entries/store.py": "",
                "tests/a.py": "from parlour.resources.entries import store as entry_store",
            },
        ),
        invalid=(
            {
                f"{_PACKAGE}resources/roles/store.py": "",
                "tests/a.py": "from parlour.resources.roles import store as roles",
            },
            {
                f"{_PACKAGE}resources/roles/store.py": "",
                f"{_PACKAGE}resources/roles/a.py": "from parlour.resources.roles import store",
            },
            {
                f"{_PACKAGE}store/leases.py": "",
                "tests/a.py": "from parlour.store import leases",
                "tests/b.py": "from parlour.store import leases as locks",
            },
            {
                f"{_PACKAGE}store/pages.py": "",
                f"{_PACKAGE}cli/pages.py": "",
                "tests/a.py": "from parlour.store import pages",
                "tests/b.py": "from parlour.cli import pages",
            },
        ),
        folders=("src", "tests", "bench"),
    ),
    Rule(
        "one-class-per-name",
        one_class_per_name,
        valid=({"a.py": "class Role: ...", "b.py": "class User: ..."},),
        invalid=(
            {"a.py": "class Role: ...", "b.py": "class Role: ..."},
            {"a.py": "class Page: ...", "b.py": "class Page: ..."},
            {"a.py": "class _Place: ...", "b.py": "def f():\n    class _Place: ..."},
            {"src/parlour/a.py": "class Role: ...", "tests/a.py": "class Role: ..."},
        ),
        folders=("src", "tests", "bench", "tools"),
    ),
    Rule(
        "log-event-name",
        log_event_name,
        valid=(
            {"a.py": "log.exception('webhook_poll_failed', error=1)"},
            {"a.py": "log.info('lease_lost')\nlog.info('reply_order_timed_out')"},
            {"a.py": "log.debug('group_rolled_back')\nlog.error('unhandled_exception')"},
            {"a.py": "with failures_logged(event, OSError): ..."},
            {"a.py": "report.info('3 errors')\nlog.bind('request')"},
        ),
        invalid=(
            {"a.py": "log.info('request')"},
            {"a.py": "log.info('failed')"},
            {"a.py": "log.warning('certificate reload failed')"},
            {"a.py": "log.error('media_blob_missing')"},
            {"a.py": "log.debug('event_feed')"},
            {"a.py": "structlog.get_logger().warning('data_open_to_others')"},
            {"a.py": "with failures_logged('lease_not_renewed_yet', OSError): ..."},
        ),
    ),
)
