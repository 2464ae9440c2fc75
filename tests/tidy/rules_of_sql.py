"""Rules about SQL: each statement names its account, its place, and its caller."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

from tests.tidy.sources import (
    REPOSITORY,
    AnyFunction,
    Rule,
    Source,
    Sources,
    Violation,
    dotted,
    takes_tx,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

STATEMENTS = "src/parlour/store/statements.py"
STORE = "src/parlour/store/"

_SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s", re.IGNORECASE)
_CLAUSE = re.compile(
    r"\b(SELECT .* FROM|INSERT INTO|DELETE FROM|UPDATE \w+ SET|WHERE \w)", re.DOTALL
)
_CONDITION = re.compile(r"\baccount_sid = ")
_INSERT = re.compile(r"\bINSERT INTO\b")
_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\);", re.DOTALL)
_ASKING = {"tx.one", "tx.all", "tx.run"}
_BUILDERS = {
    "statement",
    "insert",
    "update",
    "row_update",
    "assignments",
    "window",
    "select",
    "Table",
    "ChildTable",
    "SettingsTable",
}
_KEYS = {"sid", "account_sid", "service_sid", "conversation_sid", "user_sid", "message_sid"}
_NO_RECORDS = {"tx", "scope", "limits", "call", "self"}
_OF_TABLE = {"insert", "update", "row_update", "Table", "ChildTable", "SettingsTable"}
_ENDINGS = {"commit", "rollback", "savepoint"}
_ENDING = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b", re.IGNORECASE)


def _in_resource_store(source: Source) -> bool:
    return source.path.startswith("src/parlour/resources/") and source.path.endswith(
        ("/store.py", "_store.py")
    )


def _annotation(argument: ast.arg) -> str:
    return ast.unparse(argument.annotation) if argument.annotation is not None else ""


def _scoped_records(source: Source) -> set[str]:
    """The records of a file that have an account column."""
    return {
        node.name
        for node in source.tree.body
        if isinstance(node, ast.ClassDef)
        and any(
            isinstance(each, ast.AnnAssign) and dotted(each.target) == "account_sid"
            for each in node.body
        )
    }


def _asks(function: AnyFunction) -> bool:
    """Return whether a function queries the database, directly or through another one."""
    return any(
        dotted(node.func) in _ASKING or "tx" in {dotted(each) for each in node.args}
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
    )


def scope_first(sources: Sources) -> Iterator[Violation]:
    """Every read and write is limited to an account."""
    for source in filter(_in_resource_store, sources):
        allowed = _scoped_records(source) | {"Scope"}
        for function in source.functions:
            arguments = function.args.args
            if not takes_tx(function) or not _asks(function):
                continue
            first = arguments[0].arg == "tx"
            if not first or len(arguments) < 2 or _annotation(arguments[1]) not in allowed:
                text = f"{function.name}: the first parameters are not tx and a Scope"
                yield source.found(function, text)


@cache
def tenant_tables() -> dict[str, str]:
    """Return the tables with an account's sid, and their columns as text."""
    folder = REPOSITORY / "src/parlour/store/migrations"
    found = {
        name: columns
        for path in sorted(folder.glob("*.sql"))
        for name, columns in _TABLE.findall(path.read_text())
        if "account_sid" in columns
    }
    assert len(found) > 10, "The migrations are not where this rule looks for them."
    return found


@cache
def _mention() -> re.Pattern[str]:
    names = "|".join(tenant_tables())
    return re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO)\s+({names})\b")


def account_in_sql(sources: Sources) -> Iterator[Violation]:
    """Each mention of a tenant's table has a separate condition on the account."""
    for source in sources:
        for text in texts(source):
            assert isinstance(text.value, str)
            if not _SQL.match(text.value):
                continue
            mentions = _mention().findall(text.value)
            if source.path.startswith(STORE):
                # Delivery reads the log of all accounts in commit order.
                mentions = [name for name in mentions if name != "event"]
            inserts = len(_INSERT.findall(text.value))
            if mentions and inserts and not _names_account(text.value):
                yield source.found(text, "an INSERT without account_sid")
            if len(_CONDITION.findall(text.value)) < len(mentions) - inserts:
                names = ", ".join(mentions)
                yield source.found(text, f"{names}: not each has a condition on account_sid")
        yield from _built_without_account(source)


def _names_account(text: str) -> bool:
    return "account_sid" in text or "{columns}" in text


def _built_without_account(source: Source) -> Iterator[Violation]:
    """``insert`` and ``update`` derive their text from a record and its key."""
    scoped = _scoped_records(source)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or dotted(node.func) not in _OF_TABLE:
            continue
        table = node.args[0]
        if not (isinstance(table, ast.Constant) and table.value in tenant_tables()):
            continue
        if dotted(node.args[1]) not in scoped:
            yield source.found(node, f"{table.value}: its record has no account_sid here")
        keys = [ast.unparse(each.value) for each in node.keywords if each.arg == "key"]
        if any("'account_sid'" not in key for key in keys):
            yield source.found(node, f"{table.value}: account_sid is not in the key")


def no_sql_building(sources: Sources) -> Iterator[Violation]:
    """SQL is a constant. One file joins constants, at import time."""
    for source in sources:
        if source.path == STATEMENTS:
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.BinOp | ast.JoinedStr | ast.Call) and _builds_sql(node):
                yield source.found(node, "SQL is put together here")
        for function in source.functions:
            yield from _asked_of_transaction(source, function)


def _is_sql(node: ast.AST) -> bool:
    parts = [
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    return any(_CLAUSE.search(part) for part in parts)


def _builds_sql(node: ast.BinOp | ast.JoinedStr | ast.Call) -> bool:
    if not isinstance(node, ast.Call):
        return _is_sql(node)
    if not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr in {"format", "format_map", "join", "replace"} and _is_sql(node)


def _asked_of_transaction(source: Source, function: AnyFunction) -> Iterator[Violation]:
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        if name in _ASKING and not (node.args and dotted(node.args[0])):
            yield source.found(node, f"{name} is given something that is not a named constant")
        if name in _BUILDERS and not source.path.startswith(STORE):
            yield source.found(node, f"{name} is called at run time")


def derived_update(sources: Sources) -> Iterator[Violation]:
    """A record is written by statements derived from it: a field added later is written as well."""
    for source in sources:
        if not source.path.startswith("src/parlour/resources/"):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and dotted(node.func) == "tx.run":
                for argument in node.args[1:]:
                    if _is_field_of_record(argument):
                        text = f"{dotted(argument)} is written by itself, not with its record"
                        yield source.found(argument, text)


def _is_field_of_record(argument: ast.expr) -> bool:
    if not isinstance(argument, ast.Attribute) or not isinstance(argument.value, ast.Name):
        return False
    return argument.value.id not in _NO_RECORDS and argument.attr not in _KEYS


def no_commit(sources: Sources) -> Iterator[Violation]:
    """Only the store starts and ends transactions."""
    for source in sources:
        if source.path.startswith(STORE):
            continue
        for node in ast.walk(source.tree):
            name = node.func if isinstance(node, ast.Call) else None
            if isinstance(name, ast.Attribute) and name.attr in _ENDINGS:
                yield source.found(name, f"{name.attr}() outside the store")
        for text in texts(source):
            assert isinstance(text.value, str)
            if _ENDING.match(text.value) and text.value.strip().isupper():
                yield source.found(text, f"{text.value.strip()} outside the store")


_STORE_FILE = "src/parlour/resources/roles/store.py"
_RECORD = "class Role(msgspec.Struct):\n    account_sid: str\n    sid: str\n"

RULES = (
    Rule(
        "scope-first",
        scope_first,
        valid=(
            {_STORE_FILE: "async def find(tx, scope: Scope, sid: str): await tx.one(FIND)"},
            {_STORE_FILE: _RECORD + "async def add(tx, role: Role): await tx.one(FIND)"},
            {_STORE_FILE: "def newest(roles: list): ..."},
            {_STORE_FILE: "def new_sid(tx): return tx.new_sid(PREFIX)"},
            {"src/parlour/resources/roles/actions.py": "async def find(tx, sid): ..."},
        ),
        invalid=(
            {_STORE_FILE: "async def find(tx, sid: str): await tx.one(FIND)"},
            {_STORE_FILE: "async def find(tx): await tx.one(FIND)"},
            {_STORE_FILE: "async def find(tx, sid: str): await look(tx, sid)"},
            {_STORE_FILE: "async def find(scope: Scope, tx): await tx.one(FIND)"},
            {
                _STORE_FILE: "class Role:\n    sid: str\n"
                "async def add(tx, role: Role): await tx.one(FIND)"
            },
            {_STORE_FILE: "class Kept:\n    async def find(self, tx, sid): await tx.one(FIND)"},
        ),
    ),
    Rule(
        "account-in-sql",
        account_in_sql,
        valid=(
            {"a.py": 'A = "SELECT sid FROM role WHERE account_sid = $1"'},
            {"a.py": 'A = "SELECT name FROM migration"'},
            {"a.py": f'{_RECORD}A = insert("role", Role)'},
            {"a.py": f'{_RECORD}A = Table("role", Role, key=("account_sid", "sid"))'},
            {"a.py": f'{_RECORD}A = update("role", Role, key=("account_sid", "sid"))'},
            {"a.py": 'A = "INSERT INTO role (account_sid, sid) VALUES ($1, $2)"'},
            {
                "a.py": 'A = "SELECT 1 FROM role JOIN message ON message.account_sid = $1'
                ' WHERE role.account_sid = $1"'
            },
        ),
        invalid=(
            {"a.py": 'A = "SELECT sid FROM role WHERE sid = $1"'},
            {"a.py": f'{_RECORD}A = Table("role", Role, key=("sid",))'},
            {"a.py": 'class Role:\n    sid: str\nA = Table("role", Role, key=("account_sid",))'},
            {"a.py": 'A = "SELECT account_sid, sid FROM role WHERE sid = $1"'},
            {"a.py": 'A = "UPDATE role SET type = $2 WHERE sid = $1"'},
            {"a.py": 'A = "DELETE FROM role"'},
            {"a.py": 'A = "INSERT INTO role (sid) VALUES ($1)"'},
            {"a.py": f'{_RECORD}A = update("role", Role, key=("sid",))'},
            {"a.py": 'class Role:\n    sid: str\nA = insert("role", Role)'},
            {
                "a.py": 'A = "SELECT 1 FROM role JOIN message ON message.role_sid = role.sid'
                ' WHERE role.account_sid = $1"'
            },
        ),
    ),
    Rule(
        "no-sql-building",
        no_sql_building,
        valid=(
            {"a.py": 'A = "SELECT sid FROM role" " WHERE account_sid = $1"'},
            {"a.py": "async def f(tx): await tx.one(FIND, 1)"},
            {"a.py": "async def f(tx): await tx.all(window.first, 1)"},
            {"a.py": 'A = f"{name} was not found"'},
            {STATEMENTS: 'A = f"UPDATE {table} SET {changes} WHERE {found}"'},
        ),
        invalid=(
            {"a.py": 'A = "SELECT sid FROM role WHERE " + condition'},
            {"a.py": 'A = "SELECT sid FROM %s" % table'},
            {"a.py": 'A = f"DELETE FROM {table}"'},
            {"a.py": 'A = "SELECT sid FROM {}".format(table)'},
            {"a.py": 'A = " AND ".join(["SELECT sid FROM role WHERE a = 1", "b = 2"])'},
            {"a.py": 'async def f(tx): await tx.one("SELECT 1", 1)'},
            {"a.py": "async def f(tx): await tx.run(build(table), 1)"},
            {"a.py": 'def f(): return statement("SELECT 1 FROM role")'},
        ),
    ),
    Rule(
        "derived-update",
        derived_update,
        valid=(
            {_STORE_FILE: "async def add(tx, role): await tx.run(INSERT, *values_of(role))"},
            {_STORE_FILE: "async def remove(tx, role): await tx.run(DELETE, role.sid, tx.now)"},
            {_STORE_FILE: "async def mute(tx, scope, on): await tx.run(MUTE, scope.sid, on)"},
            {"src/parlour/delivery/queue.py": "async def f(tx, a): await tx.run(NOTE, a.state)"},
        ),
        invalid=(
            {_STORE_FILE: "async def f(tx, a): await tx.run(UPDATE, a.sid, a.attributes)"},
            {_STORE_FILE: "async def f(tx, a):\n    return await tx.run(UPDATE, a.type)"},
        ),
    ),
    Rule(
        "no-commit",
        no_commit,
        valid=(
            {"a.py": 'A = "Begin here"'},
            {f"{STORE}sqlite.py": 'connection.execute("COMMIT")'},
        ),
        invalid=(
            {"a.py": "connection.commit()"},
            {"a.py": "tx.rollback()"},
            {"a.py": 'connection.execute("BEGIN IMMEDIATE")'},
            {"a.py": 'connection.execute("SAVEPOINT A")'},
        ),
    ),
)
