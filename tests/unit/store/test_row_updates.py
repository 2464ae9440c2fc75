"""Updates derived from records: a field that is added to a record is written as well."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import pkgutil
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import parlour.resources
from parlour.resources.participants import store as participant_store
from parlour.store import statements
from parlour.store.dialect import SQLITE
from parlour.store.migrations import migrations
from parlour.store.table import AnyTable
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.store.statements import RowUpdate

SCOPE = Scope("AC" + "0" * 32, "IS" + "0" * 32)
INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"
_SET = re.compile(r"UPDATE \w+ SET (.*) WHERE (.*)")
_ASSIGNED = re.compile(r"(\w+) = \$(\d+)")


class Recorded:
    """A transaction that records the last statement and its arguments."""

    def __init__(self) -> None:
        self.sql = ""
        self.arguments: tuple[object, ...] = ()

    async def run(self, sql: str, *arguments: object) -> int:
        """One row, as always."""
        self.sql, self.arguments = sql, arguments
        return 1

    def written(self) -> dict[str, object]:
        """What the statement assigns, by column."""
        return written(self.sql, self.arguments)


def written(sql: str, arguments: tuple[object, ...]) -> dict[str, object]:
    found = _SET.fullmatch(sql)
    assert found is not None, sql
    return {name: arguments[int(number) - 1] for name, number in _ASSIGNED.findall(found[1])}


def filled(record: type[msgspec.Struct], **changes: object) -> Any:
    """A record of texts, regardless of its fields: each its own name, in the scope of the test."""
    names = {name: f"old {name}" for name in record.__struct_fields__}
    owner = "service_sid" if "service_sid" in names else "account_sid"
    return record(**{**names, owner: getattr(SCOPE, owner), **changes})


def row_updates() -> list[tuple[str, type[msgspec.Struct], RowUpdate]]:
    """Each one of the program, with its table and its record."""
    found = []
    for module in pkgutil.walk_packages(parlour.resources.__path__, "parlour.resources."):
        if not module.name.endswith("store"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, AnyTable):
                found += [(value.name, value.record, each) for each in value.row_updates]
    return found


UPDATES = row_updates()


def test_stores_use_row_updates() -> None:
    assert {name for name, _, _ in UPDATES} >= {"conversation", "participant", "receipt"}


@pytest.mark.parametrize(
    ("record", "change"), [each[1:] for each in UPDATES], ids=[each[0] for each in UPDATES]
)
def test_each_column_is_written_when_it_changes(
    record: type[msgspec.Struct], change: RowUpdate
) -> None:
    before = filled(record)
    match = _SET.fullmatch(change.whole)
    assert match is not None
    keys = {name for name, _ in _ASSIGNED.findall(match[2])}
    for name in set(record.__struct_fields__) - keys:
        after = msgspec.structs.replace(before, **{name: "new"})
        sql, arguments = change.of(before, after)
        assert written(sql, arguments)[name] == "new"
        found = _SET.fullmatch(sql)
        assert found is not None
        for key, number in _ASSIGNED.findall(found[2]):
            assert arguments[int(number) - 1] == getattr(after, key)


# --- A clone of a store whose record has a field more

CLONES: dict[str, tuple[str, Callable[[ModuleType, Any, Any, Any], Any]]] = {
    "participants.store": (
        "Participant",
        lambda store, tx, before, after: store.update_participant_row(tx, SCOPE, before, after),
    ),
    "conversations.store": (
        "Conversation",
        lambda store, tx, before, after: store.update_conversation_after_message(
            tx, SCOPE, before, after
        ),
    ),
    "messages.receipt_store": (
        "Receipt",
        lambda store, tx, before, after: store.update_receipt_row(tx, SCOPE, before, after),
    ),
    "push_bindings.store": (
        "PushBinding",
        lambda store, tx, _, after: store.update_push_binding_row(tx, SCOPE, after),
    ),
}


def clone(store: str, record: str) -> ModuleType:
    """A store, with a field more at the end of its record."""
    original = importlib.import_module(f"parlour.resources.{store}")
    text = Path(str(original.__file__)).read_text()
    last = original.__dict__[record].__struct_fields__[-1]
    start = text.index(f"class {record}(")
    place = text.index("\n", text.index(f"    {last}: ", start))
    made = ModuleType(f"clone_of_{store}")
    sys.modules[made.__name__] = made
    text = f"{text[:place]}\n    nickname: str{text[place:]}"
    exec(compile(text, made.__name__, "exec"), vars(made))  # noqa: S102 - our own text.
    return made


@pytest.mark.parametrize("module", CLONES)
def test_field_added_to_a_record_is_written(module: str) -> None:
    name, change = CLONES[module]
    store = clone(module, name)
    record = vars(store)[name]
    before, tx = filled(record, nickname="first"), Recorded()
    after = msgspec.structs.replace(before, nickname="second")
    asyncio.run(change(store, tx, before, after))
    assert tx.written()["nickname"] == "second"


def test_unknown_column_fails_at_import() -> None:
    for columns in (("attributes", "nickname"), ("attribute",)):
        with pytest.raises(ValueError, match="Participant has no"):
            statements.row_update(
                "participant", participant_store.Participant, key=("sid",), columns=columns
            )


def test_short_update_of_participants_changes_no_indexed_column() -> None:
    """It writes every column that no index holds, and none that one does."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for each in migrations():
            connection.executescript(each.text.format_map(SQLITE))
        indexes = connection.execute(INDEXES, ("participant",)).fetchall()
        held = {"account_sid"}
        for name, sql in indexes:
            held |= {row[2] for row in connection.execute(f"PRAGMA index_info({name})")}
            held |= set(re.findall(r"(\w+) (?:=|IS)", (sql or "").partition(" WHERE ")[2]))
        columns = {row[1] for row in connection.execute("PRAGMA table_info(participant)")}
    assert len(indexes) >= 10
    assert columns == set(participant_store.Participant.__struct_fields__)
    changes, _, _ = participant_store.TABLE.statements["update_changes"].partition(" WHERE ")
    assert {name for name, _ in _ASSIGNED.findall(changes)} == columns - held
