"""Tables: the statements and functions derived from a record, its key and its order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from parlour.protocol.pages import PagePosition, PageRequest
from parlour.store.table import ChildTable, SettingsTable, Table
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable

SCOPE = Scope("AC1", "IS1")
OTHER_ACCOUNT = Scope("AC2", "IS1")
OTHER_SERVICE = Scope("AC1", "IS2")


class Light(msgspec.Struct, frozen=True):
    account_sid: str
    sid: str
    sequence: int
    colour: str = "red"


class Lamp(msgspec.Struct, frozen=True):
    account_sid: str
    service_sid: str
    room_sid: str
    sid: str
    sequence: int
    colour: str = "red"
    power: int = 0


class AccountMode(msgspec.Struct, frozen=True):
    account_sid: str
    mode: str = "off"


class ServiceMode(msgspec.Struct, frozen=True):
    account_sid: str
    service_sid: str
    mode: str = "off"


LIGHT = Light("AC1", "LI1", 7)
LAMP = Lamp("AC1", "IS1", "RM1", "LA1", 7)
OF_ACCOUNT = ("account_sid", "sid")
OF_SERVICE = ("account_sid", "service_sid", "sid")
OF_ROOM = ("account_sid", "room_sid", "sid")
LAMPS = "account_sid, service_sid, room_sid, sid, sequence, colour, power"


class PreparedRows:
    """A transaction that records its statements, and answers with prepared rows and counts."""

    def __init__(self, *rows: tuple[object, ...], counts: tuple[int, ...] = (1,)) -> None:
        self.rows = rows
        self.counts = list(counts)
        self.ran: list[tuple[object, ...]] = []
        self.cached = 0

    async def one(self, sql: str, *arguments: object) -> tuple[object, ...] | None:
        self.ran.append((sql, *arguments))
        return self.rows[0] if self.rows else None

    async def one_cached(self, sql: str, *arguments: object) -> tuple[object, ...] | None:
        self.cached += 1
        return await self.one(sql, *arguments)

    async def all(self, sql: str, *arguments: object) -> list[tuple[object, ...]]:
        self.ran.append((sql, *arguments))
        return list(self.rows)

    async def run(self, sql: str, *arguments: object) -> int:
        self.ran.append((sql, *arguments))
        return self.counts.pop(0)


def run(awaitable: Awaitable[Any]) -> Any:
    """Run a coroutine that never waits."""
    with pytest.raises(StopIteration) as stopped:
        awaitable.__await__().send(None)
    return stopped.value.value


def values(record: msgspec.Struct) -> tuple[object, ...]:
    return msgspec.structs.astuple(record)


# --- Declarations


def test_key_that_does_not_begin_with_the_account_is_rejected() -> None:
    with pytest.raises(AssertionError, match="light"):
        Table("light", Light, key=("sid", "account_sid"))


@pytest.mark.parametrize(
    "columns",
    [{"key": ("account_sid", "name")}, {"key": OF_ACCOUNT, "indexed": ("name",)}],
    ids=str,
)
def test_column_that_the_record_does_not_have_is_rejected(columns: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Light has no name"):
        Table("light", Light, **columns)


@pytest.mark.parametrize("method", ["finder", "lister", "deleter"])
def test_key_of_a_table_is_the_scope_and_one_more_column(method: str) -> None:
    with pytest.raises(AssertionError, match="lamp"):
        getattr(Table("lamp", Lamp, key=OF_ROOM), method)()


def test_key_of_a_child_table_has_three_columns() -> None:
    with pytest.raises(AssertionError, match="light"):
        ChildTable("light", Light, key=OF_ACCOUNT).finder()


@pytest.mark.parametrize("method", ["finder", "getter", "required_getter", "deleter"])
def test_key_of_settings_is_the_scope(method: str) -> None:
    with pytest.raises(AssertionError, match="lamp"):
        getattr(SettingsTable("lamp", Lamp, key=OF_SERVICE), method)()


def test_key_of_cached_settings_is_the_scope() -> None:
    with pytest.raises(AssertionError, match="lamp"):
        SettingsTable("lamp", Lamp, key=OF_SERVICE).getter(cached=True)


def test_functions_are_named_after_their_table() -> None:
    table = Table("lamp", Lamp, key=OF_SERVICE, indexed=("colour",))
    names = [
        each.__name__
        for each in (
            table.inserter(),
            table.updater(),
            table.changes_updater(),
            table.finder(),
            table.lister(),
            table.deleter(),
        )
    ]
    assert names == [
        "insert_lamp",
        "update_lamp",
        "update_lamp",
        "find_lamp",
        "list_lamp",
        "delete_lamp",
    ]


# --- Writes


def test_insert_writes_every_column() -> None:
    tx, table = PreparedRows(), Table("lamp", Lamp, key=OF_SERVICE)
    run(table.inserter()(tx, SCOPE, LAMP))  # type: ignore[arg-type]
    sql = f"INSERT INTO lamp ({LAMPS}) VALUES ($1, $2, $3, $4, $5, $6, $7)"
    assert tx.ran == [(sql, *values(LAMP))]
    assert table.statements == {"insert": sql}


def test_update_writes_the_columns_without_the_key() -> None:
    tx = PreparedRows()
    run(Table("light", Light, key=OF_ACCOUNT).updater()(tx, SCOPE, LIGHT))  # type: ignore[arg-type]
    sql = "UPDATE light SET sequence = $3, colour = $4 WHERE account_sid = $1 AND sid = $2"
    assert tx.ran == [(sql, *values(LIGHT))]


def test_update_with_a_key_of_its_own_finds_the_row_by_it() -> None:
    tx, key = PreparedRows(), ("account_sid", "sequence")
    update = Table("light", Light, key=OF_ACCOUNT).updater(key=key)
    run(update(tx, SCOPE, LIGHT))  # type: ignore[arg-type]
    sql = "UPDATE light SET sid = $2, colour = $4 WHERE account_sid = $1 AND sequence = $3"
    assert tx.ran == [(sql, *values(LIGHT))]


WHOLE = (
    "UPDATE lamp SET service_sid = $2, room_sid = $3, sequence = $5, colour = $6, power = $7"
    " WHERE account_sid = $1 AND sid = $4"
)
UNINDEXED = (
    "UPDATE lamp SET service_sid = $3, room_sid = $4, sequence = $5, power = $6"
    " WHERE account_sid = $1 AND sid = $2"
)
POWER = "UPDATE lamp SET power = $3 WHERE account_sid = $1 AND sid = $2"


@pytest.mark.parametrize(
    ("columns", "changes", "sql", "arguments"),
    [
        ((), {"power": 5}, UNINDEXED, ("AC1", "LA1", "IS1", "RM1", 7, 5)),
        ((), {"colour": "blue"}, WHOLE, ("AC1", "IS1", "RM1", "LA1", 7, "blue", 0)),
        (("power",), {"power": 5}, POWER, ("AC1", "LA1", 5)),
        (("power",), {"sequence": 8}, WHOLE, ("AC1", "IS1", "RM1", "LA1", 8, "red", 0)),
    ],
    ids=["unindexed", "indexed", "named", "not named"],
)
def test_update_of_changes_is_short_unless_another_column_changes(
    columns: tuple[str, ...],
    changes: dict[str, Any],
    sql: str,
    arguments: tuple[object, ...],
) -> None:
    tx = PreparedRows()
    table = Table("lamp", Lamp, key=OF_ACCOUNT, indexed=("colour",))
    after = msgspec.structs.replace(LAMP, **changes)
    run(table.changes_updater(*columns)(tx, SCOPE, LAMP, after))  # type: ignore[arg-type]
    assert tx.ran == [(sql, *arguments)]
    assert sql in {table.statements["update"], table.statements["update_changes"]}
    assert [each.whole for each in table.row_updates] == [WHOLE]


@pytest.mark.parametrize("verb", ["inserter", "updater", "changes_updater"])
@pytest.mark.parametrize(
    ("table", "record", "scope"),
    [
        (Table("light", Light, key=OF_ACCOUNT, indexed=("colour",)), LIGHT, OTHER_ACCOUNT),
        (Table("lamp", Lamp, key=OF_SERVICE, indexed=("colour",)), LAMP, OTHER_SERVICE),
    ],
    ids=["account", "service"],
)
def test_write_outside_the_scope_fails_before_the_statement(
    verb: str, table: Table[Any], record: msgspec.Struct, scope: Scope
) -> None:
    tx, records = PreparedRows(), [record] * (1 + (verb == "changes_updater"))
    with pytest.raises(AssertionError):
        getattr(table, verb)()(tx, scope, *records).send(None)
    assert tx.ran == []


@pytest.mark.parametrize("verb", ["updater", "changes_updater"])
def test_update_of_a_missing_row_fails_with_its_sid(verb: str) -> None:
    records = [LIGHT] * (1 + (verb == "changes_updater"))
    update = getattr(Table("light", Light, key=OF_ACCOUNT, indexed=("colour",)), verb)()
    with pytest.raises(AssertionError, match="LI1"):
        update(PreparedRows(counts=(0,)), SCOPE, *records).send(None)


# --- Reads and deletes

TABLES = [
    pytest.param(Table("light", Light, key=OF_ACCOUNT), LIGHT, ("AC1",), (), id="account"),
    pytest.param(Table("lamp", Lamp, key=OF_SERVICE), LAMP, ("AC1", "IS1"), (), id="service"),
    pytest.param(ChildTable("lamp", Lamp, key=OF_ROOM), LAMP, ("AC1",), ("RM1",), id="parent"),
]
"""A table, a record of it, and the arguments of its key: of the scope, and of the caller."""


@pytest.mark.parametrize(("table", "record", "scope", "above"), TABLES)
def test_find_returns_the_record_with_a_key(
    table: Any, record: msgspec.Struct, scope: tuple[str, ...], above: tuple[str, ...]
) -> None:
    tx = PreparedRows(values(record))
    assert run(table.finder()(tx, SCOPE, *above, "XX1")) == record
    columns = ", ".join(record.__struct_fields__)
    conditions = " AND ".join(f"{name} = ${place}" for place, name in enumerate(table.key, 1))
    sql = f"SELECT {columns} FROM {table.name} WHERE {conditions}"
    assert tx.ran == [(sql, *scope, *above, "XX1")]
    assert table.statements["find"] == sql


@pytest.mark.parametrize(("table", "record", "scope", "above"), TABLES)
def test_find_with_a_lock_has_its_clause_and_returns_none_without_a_row(
    table: Any, record: msgspec.Struct, scope: tuple[str, ...], above: tuple[str, ...]
) -> None:
    tx = PreparedRows()
    assert run(table.finder("FOR UPDATE")(tx, SCOPE, *above, "XX1")) is None
    del record
    sql = table.statements["find_for_update"]
    assert sql.endswith(f"{table.key[-1]} = ${len(table.key)} FOR UPDATE")
    assert tx.ran == [(sql, *scope, *above, "XX1")]


@pytest.mark.parametrize(
    "page",
    [
        (None, "list_first", (51,)),
        (PagePosition(7, "XX1"), "list_forward", (7, "XX1", 51)),
        (PagePosition(7, "XX1", backwards=True), "list_backward", (7, "XX1", 51)),
    ],
    ids=["first", "forward", "backward"],
)
@pytest.mark.parametrize(("table", "record", "scope", "above"), TABLES)
def test_list_reads_a_page_in_the_order_of_the_table(
    table: Any,
    record: msgspec.Struct,
    scope: tuple[str, ...],
    above: tuple[str, ...],
    page: tuple[PagePosition | None, str, tuple[object, ...]],
) -> None:
    position, statement, arguments = page
    tx, request = PreparedRows(values(record), values(record)), PageRequest(0, 50, position)
    assert run(table.lister()(tx, SCOPE, *above, request)) == [record, record]
    sql = table.statements[statement]
    assert tx.ran == [(sql, *scope, *above, *arguments)]
    direction = "DESC" if statement == "list_backward" else "ASC"
    last = f"LIMIT ${len(tx.ran[0]) - 1}"
    assert sql.endswith(f"ORDER BY sequence {direction}, sid {direction} {last}")


def test_order_of_a_table_replaces_the_sequence() -> None:
    table = Table("light", Light, key=OF_ACCOUNT, order="colour")
    run(table.lister()(PreparedRows(), SCOPE, PageRequest(0, 1, None)))  # type: ignore[arg-type]
    assert "ORDER BY colour ASC, sid ASC" in table.statements["list_first"]


@pytest.mark.parametrize(("table", "record", "scope", "above"), TABLES)
def test_delete_returns_the_number_of_rows_with_a_key(
    table: Any, record: msgspec.Struct, scope: tuple[str, ...], above: tuple[str, ...]
) -> None:
    del record
    tx = PreparedRows(counts=(3,))
    assert run(table.deleter()(tx, SCOPE, *above, "XX1")) == 3
    assert tx.ran == [(table.statements["delete"], *scope, *above, "XX1")]
    assert table.statements["delete"].startswith(f"DELETE FROM {table.name} WHERE account_sid")


# --- Settings

SETTINGS = [
    pytest.param(
        SettingsTable("mode", AccountMode, key=("account_sid",)),
        AccountMode("AC1", "on"),
        ("AC1",),
        OTHER_ACCOUNT,
        id="account",
    ),
    pytest.param(
        SettingsTable("mode", ServiceMode, key=("account_sid", "service_sid")),
        ServiceMode("AC1", "IS1", "on"),
        ("AC1", "IS1"),
        OTHER_SERVICE,
        id="service",
    ),
]
"""A table, its settings, the arguments of its key, and a scope with other settings."""


@pytest.mark.parametrize(("table", "settings", "key", "other"), SETTINGS)
def test_settings_are_read_by_their_scope(
    table: Any, settings: msgspec.Struct, key: tuple[str, ...], other: Scope
) -> None:
    del other
    for make in (table.finder, table.getter, table.required_getter):
        tx = PreparedRows(values(settings))
        assert run(make()(tx, SCOPE)) == settings
        assert tx.ran == [(table.statements["find"], *key)]
        assert tx.cached == 0


@pytest.mark.parametrize(("table", "settings", "key", "other"), SETTINGS)
def test_without_a_row_settings_are_none_the_defaults_or_a_fault(
    table: Any, settings: msgspec.Struct, key: tuple[str, ...], other: Scope
) -> None:
    assert run(table.finder()(PreparedRows(), SCOPE)) is None
    for get in (table.getter(), table.getter(cached=True)):
        assert run(get(PreparedRows(), SCOPE)) == type(settings)(*key)
        assert run(get(PreparedRows(), other)) != type(settings)(*key)
    with pytest.raises(AssertionError, match="AC1"):
        table.required_getter()(PreparedRows(), SCOPE).send(None)


@pytest.mark.parametrize(("table", "settings", "key", "other"), SETTINGS)
def test_cached_settings_are_read_through_the_cache(
    table: Any, settings: msgspec.Struct, key: tuple[str, ...], other: Scope
) -> None:
    tx = PreparedRows(values(settings))
    get = table.getter(cached=True)
    assert (run(get(tx, SCOPE)), run(get(tx, other))) == (settings, settings)
    assert tx.cached == 2
    assert tx.ran[0] == (table.statements["find"], *key)


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "new"])
@pytest.mark.parametrize(("table", "settings", "key", "other"), SETTINGS)
def test_saved_settings_update_their_row_or_insert_it(
    table: Any, settings: msgspec.Struct, key: tuple[str, ...], other: Scope, is_known: bool
) -> None:
    del key
    tx, save = PreparedRows(counts=(1,) if is_known else (0, 1)), table.saver()
    run(save(tx, SCOPE, settings))
    written = ["update"] if is_known else ["update", "insert"]
    assert tx.ran == [(table.statements[verb], *values(settings)) for verb in written]
    with pytest.raises(AssertionError):
        save(tx, other, settings).send(None)
    assert len(tx.ran) == len(written)


@pytest.mark.parametrize(("table", "settings", "key", "other"), SETTINGS)
def test_deleted_settings_are_those_of_the_scope(
    table: Any, settings: msgspec.Struct, key: tuple[str, ...], other: Scope
) -> None:
    del settings
    tx = PreparedRows(counts=(1, 0))
    delete = table.deleter()
    assert (run(delete(tx, SCOPE)), run(delete(tx, other))) == (1, 0)
    assert tx.ran[0] == (table.statements["delete"], *key)
    assert tx.ran[1] != tx.ran[0]
