"""Tables: the functions of a store, derived from its record, its key and its order."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from parlour.store.statements import (
    RowUpdate,
    Window,
    columns_without,
    delete,
    insert,
    row_update,
    select,
    update,
    values_of,
    window,
)
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TypeAlias

    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")

if TYPE_CHECKING:
    Result: TypeAlias = Coroutine[Any, Any, T]


# A store declares its table once and derives the functions it needs from it:
#
# | method              | function                                    | statement                 |
# |---------------------|---------------------------------------------|---------------------------|
# | ``inserter``        | ``insert(tx, scope, record)``               | INSERT of all columns     |
# | ``finder``          | ``find(tx, scope, *key)``: a record or None | SELECT by the key         |
# | ``lister``          | ``list(tx, scope, request)``: one page      | SELECT in table order     |
# | ``updater``         | ``update(tx, scope, record)``               | UPDATE of all columns     |
# | ``changes_updater`` | ``update(tx, scope, before, after)``        | UPDATE of columns without |
# |                     |                                             | an index, or of all if    |
# |                     |                                             | another column changes    |
# | ``deleter``         | ``delete(tx, scope, *key)``: number of rows | DELETE by the key         |
#
# ``SettingsTable`` also has ``getter``, ``required_getter`` and ``saver``: see the table above it.
#
# The statements are built when the store is imported, and ``Table.statements`` has each of them by
# name. Statements with other conditions are defined in their store.
#
# Invariants:
#
# - A key begins with ``account_sid``.
# - A row is written only in its scope: an assertion compares the service, or the account of tables
#   without one.
# - An update writes each column of the record that is not in its key.
#
# The functions are closures over their statement, so that a call costs as much as a call of a
# hand-written function: no attribute lookup, no dispatch.
class AnyTable(Generic[R]):
    """The base of all tables: how records are written."""

    def __init__(
        self,
        name: str,
        record: type[R],
        *,
        key: tuple[str, ...],
        order: str = "sequence",
        indexed: tuple[str, ...] = (),
    ) -> None:
        """Declare a table. Raises ``ValueError`` for a column that the record does not have.

        ``order`` is the column by which its lists are sorted, ``indexed`` are its indexed columns.
        """
        assert key[0] == "account_sid", name
        # Only for its check that the record has these columns.
        columns_without(record, *key, *indexed)
        self.name = name
        self.record = record
        self.key = key
        self.order = order
        self.indexed = indexed
        self.statements: dict[str, str] = {}
        self.row_updates: list[RowUpdate] = []
        columns = record.__struct_fields__
        self._owner = attrgetter("service_sid" if "service_sid" in columns else "account_sid")
        self._identify = attrgetter(key[-1])

    def _add(self, name: str, text: str) -> str:
        self.statements[name] = text
        return text

    def _named(self, verb: str, function: Callable[..., T]) -> None:
        """Name a function after its table: profiles and tracebacks show the name."""
        function.__name__ = function.__qualname__ = f"{verb}_{self.name}"

    def inserter(self) -> Callable[[Transaction, Scope, R], Result[None]]:
        """Return the function that inserts a record."""
        sql = self._add("insert", insert(self.name, self.record))
        owner = self._owner

        async def insert_row(tx: Transaction, scope: Scope, record: R) -> None:
            assert owner(record) == owner(scope)
            await tx.run(sql, *values_of(record))

        self._named("insert", insert_row)
        return insert_row

    def updater(
        self, *, key: tuple[str, ...] | None = None
    ) -> Callable[[Transaction, Scope, R], Result[None]]:
        """Return the function that writes every column of a record, which must exist.

        ``key`` replaces the table's key in the condition.
        """
        sql = self._add("update", update(self.name, self.record, key=key or self.key))
        owner, identify = self._owner, self._identify

        # A missing row is a fault: the caller has read it in the same transaction.
        async def update_row(tx: Transaction, scope: Scope, record: R) -> None:
            assert owner(record) == owner(scope)
            count = await tx.run(sql, *values_of(record))
            assert count == 1, identify(record)

        self._named("update", update_row)
        return update_row

    def changes_updater(self, *columns: str) -> Callable[[Transaction, Scope, R, R], Result[None]]:
        """Return the function that writes the differences between two records of one row.

        If only ``columns`` differ, it writes them alone, else all. Default: the unindexed ones.
        """
        # An update of unindexed columns alone writes no index.
        columns = columns or columns_without(self.record, *self.key, *self.indexed)
        change = row_update(self.name, self.record, key=self.key, columns=columns)
        self.row_updates.append(change)
        self._add("update", change.whole)
        self._add("update_changes", change.short)
        owner, identify = self._owner, self._identify

        async def update_changes(tx: Transaction, scope: Scope, before: R, after: R) -> None:
            assert owner(after) == owner(scope)
            sql, arguments = change.of(before, after)
            count = await tx.run(sql, *arguments)
            assert count == 1, identify(after)

        self._named("update", update_changes)
        return update_changes

    def _select(self, lock: str) -> str:
        name = "_".join(("find", *lock.lower().split()))
        return self._add(name, select(self.name, self.record, key=self.key, lock=lock))

    def _list(self) -> Window:
        above = self.key[:-1]
        listing = window(
            select(self.name, self.record, key=above),
            self.record,
            order=self.order,
            arguments=len(above),
        )
        self._add("list_first", listing.first)
        self._add("list_forward", listing.forward)
        self._add("list_backward", listing.backward)
        return listing

    def _delete(self) -> str:
        return self._add("delete", delete(self.name, key=self.key))


class Table(AnyTable[R]):
    """The rows of an account or, with ``service_sid`` in the key, of a service."""

    def _scope_columns(self) -> Callable[[Scope], tuple[str, ...]]:
        """Return the function that gives the columns of the key that a scope has."""
        if self.key[:-1] == ("account_sid",):
            return lambda scope: (scope.account_sid,)
        assert self.key[:-1] == ("account_sid", "service_sid"), self.name
        return attrgetter("account_sid", "service_sid")

    def finder(self, lock: str = "") -> Callable[[Transaction, Scope, str], Result[R | None]]:
        """Return the function that finds a record by the last column of the key."""
        sql, record = self._select(lock), self.record
        self._scope_columns()  # Only for its check of the key.

        # Almost every request finds a row, so the columns of the key are written out.
        async def find_in_account(tx: Transaction, scope: Scope, sid: str) -> R | None:
            row = await tx.one(sql, scope.account_sid, sid)
            return record(*row) if row else None

        async def find_in_service(tx: Transaction, scope: Scope, sid: str) -> R | None:
            row = await tx.one(sql, scope.account_sid, scope.service_sid, sid)
            return record(*row) if row else None

        find_row = find_in_account if self.key[:-1] == ("account_sid",) else find_in_service
        self._named("find", find_row)
        return find_row

    def lister(self) -> Callable[[Transaction, Scope, PageRequest], Result[list[R]]]:
        """Return the function that reads a page of the scope's rows."""
        listing, record = self._list(), self.record
        of = self._scope_columns()

        async def list_rows(tx: Transaction, scope: Scope, request: PageRequest) -> list[R]:
            rows = await read_window(tx, listing, request, *of(scope))
            return [record(*row) for row in rows]

        self._named("list", list_rows)
        return list_rows

    def deleter(self) -> Callable[[Transaction, Scope, str], Result[int]]:
        """Return the function that deletes the row with a key."""
        sql, of = self._delete(), self._scope_columns()

        async def delete_row(tx: Transaction, scope: Scope, sid: str) -> int:
            return await tx.run(sql, *of(scope), sid)

        self._named("delete", delete_row)
        return delete_row


class ChildTable(AnyTable[R]):
    """The rows of a parent, such as a conversation: the key is account, parent and sid."""

    def finder(self, lock: str = "") -> Callable[[Transaction, Scope, str, str], Result[R | None]]:
        """Return the function that finds a record by its parent's sid and its own."""
        assert len(self.key) == 3, self.name
        sql, record = self._select(lock), self.record

        async def find_row(tx: Transaction, scope: Scope, parent_sid: str, sid: str) -> R | None:
            row = await tx.one(sql, scope.account_sid, parent_sid, sid)
            return record(*row) if row else None

        self._named("find", find_row)
        return find_row

    def lister(self) -> Callable[[Transaction, Scope, str, PageRequest], Result[list[R]]]:
        """Return the function that reads a page of a parent's rows."""
        listing, record = self._list(), self.record

        async def list_rows(
            tx: Transaction, scope: Scope, parent_sid: str, request: PageRequest
        ) -> list[R]:
            rows = await read_window(tx, listing, request, scope.account_sid, parent_sid)
            return [record(*row) for row in rows]

        self._named("list", list_rows)
        return list_rows

    def deleter(self) -> Callable[[Transaction, Scope, str, str], Result[int]]:
        """Return the function that deletes the row with a key."""
        sql = self._delete()

        async def delete_row(tx: Transaction, scope: Scope, parent_sid: str, sid: str) -> int:
            return await tx.run(sql, scope.account_sid, parent_sid, sid)

        self._named("delete", delete_row)
        return delete_row


# state    ``getter``                  ``required_getter``  ``saver``         ``deleter``
# -------  --------------------------  -------------------  ----------------  -----------
# no row   the record of the defaults  AssertionError       inserts: one row  no row
# one row  its record                  its record           updates: one row  no row
class SettingsTable(AnyTable[R]):
    """The settings of an account or of a service: at most one row each; the key is the scope's.

    ``required_getter`` is for settings that are inserted with their owner.
    """

    def _scope_columns(self) -> Callable[[Scope], tuple[str, ...]]:
        if self.key == ("account_sid",):
            return lambda scope: (scope.account_sid,)
        assert self.key == ("account_sid", "service_sid"), self.name
        return attrgetter("account_sid", "service_sid")

    def finder(self) -> Callable[[Transaction, Scope], Result[R | None]]:
        """Return the function that reads the settings, None if there is no row."""
        sql, record, of = self._select(""), self.record, self._scope_columns()

        async def find_settings(tx: Transaction, scope: Scope) -> R | None:
            row = await tx.one(sql, *of(scope))
            return record(*row) if row else None

        self._named("find", find_settings)
        return find_settings

    def getter(self, *, cached: bool = False) -> Callable[[Transaction, Scope], Result[R]]:
        """Return the function that reads the settings, or the default settings.

        ``cached``: through the engine's cache of settings.
        """
        get_settings = self._cached_getter() if cached else self._uncached_getter()
        self._named("get", get_settings)
        return get_settings

    # The default settings: all fields of the record but its key have default values.
    def _uncached_getter(self) -> Callable[[Transaction, Scope], Result[R]]:
        sql, record, of = self._select(""), self.record, self._scope_columns()

        async def get_settings(tx: Transaction, scope: Scope) -> R:
            key = of(scope)
            row = await tx.one(sql, *key)
            return record(*row) if row else record(*key)

        return get_settings

    # Almost every request reads cached settings, so the columns of the key are written out.
    def _cached_getter(self) -> Callable[[Transaction, Scope], Result[R]]:
        sql, record = self._select(""), self.record
        self._scope_columns()  # Only for its check of the key.

        async def get_of_account(tx: Transaction, scope: Scope) -> R:
            row = await tx.one_cached(sql, scope.account_sid)
            return record(*row) if row else record(scope.account_sid)

        async def get_of_service(tx: Transaction, scope: Scope) -> R:
            row = await tx.one_cached(sql, scope.account_sid, scope.service_sid)
            return record(*row) if row else record(scope.account_sid, scope.service_sid)

        return get_of_account if self.key == ("account_sid",) else get_of_service

    def required_getter(self) -> Callable[[Transaction, Scope], Result[R]]:
        """Return the function that reads the settings, which must exist."""
        sql, record, of = self._select(""), self.record, self._scope_columns()

        async def get_settings(tx: Transaction, scope: Scope) -> R:
            key = of(scope)
            row = await tx.one(sql, *key)
            assert row is not None, key
            return record(*row)

        self._named("get", get_settings)
        return get_settings

    def saver(self) -> Callable[[Transaction, Scope, R], Result[None]]:
        """Return the function that writes the settings, as a new row if there is none."""
        sql = self._add("update", update(self.name, self.record, key=self.key))
        first = self._add("insert", insert(self.name, self.record))
        owner = self._owner

        async def save_settings(tx: Transaction, scope: Scope, record: R) -> None:
            assert owner(record) == owner(scope)
            if not await tx.run(sql, *values_of(record)):
                await tx.run(first, *values_of(record))

        self._named("save", save_settings)
        return save_settings

    def deleter(self) -> Callable[[Transaction, Scope], Result[int]]:
        """Return the function that deletes the settings."""
        sql, of = self._delete(), self._scope_columns()

        async def delete_settings(tx: Transaction, scope: Scope) -> int:
            return await tx.run(sql, *of(scope))

        self._named("delete", delete_settings)
        return delete_settings
