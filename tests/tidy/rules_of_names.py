"""Rules about what a path names: a sid, or a name that may look like one."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.tidy.sources import Finding, Rule, Sources, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARSERS = {"sids.is_sid", "sids.parse"}


def sid_then_name(sources: Sources) -> Iterator[Finding]:
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
)
