"""Deletes the rows of an account or of all accounts, and inserts the rows of a new account again.

A ``DELETE`` without a condition releases the pages of a table without reading its rows, so it is
used wherever no other account has rows in a table.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from parlour.resources.configuration import store as configuration_store
from parlour.resources.services import actions as service_actions
from parlour.resources.services import store as service_store
from parlour.store.sqlite.exclusive import quoted
from parlour.vocabulary import event_names
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.configuration.store import Configuration
    from parlour.resources.services.store import Service
    from parlour.store.sqlite.exclusive import ExclusiveAccess
    from parlour.store.transaction import Transaction
    from parlour.testmode.reset.table_classes import AccountTable, TableClasses

CREDENTIALS: Final = frozenset({"account", "login"})
"""Tables whose rows an account keeps at its reset."""
_EVENTS: Final = "event"
_OTHER_ACCOUNTS: Final = "SELECT EXISTS (SELECT 1 FROM main.account WHERE sid <> ?)"
_LAST_EVENT: Final = "SELECT coalesce(max(sequence), 0) FROM main.event"


class StayingRows(msgspec.Struct, frozen=True):
    """What stays of an account: its default service and its configuration."""

    service: Service
    configuration: Configuration


async def read_staying_rows(tx: Transaction, account_sid: str) -> StayingRows:
    """Return the rows that a reset inserts again."""
    scope = Scope(account_sid)
    configuration = await configuration_store.get_configuration(tx, scope)
    service = await service_store.find_service(tx, scope, configuration.default_chat_service_sid)
    assert service is not None, configuration
    return StayingRows(service, configuration)


async def insert_staying_rows(tx: Transaction, account_sid: str, rows: StayingRows) -> None:
    """Insert the default service as a new one with the same SID, and the configuration."""
    scope = Scope(account_sid)
    service = msgspec.structs.replace(
        rows.service,
        sequence=tx.next_sequence(),
        friendly_name=service_actions.DEFAULT_SERVICE_NAME,
        date_updated=rows.service.date_created,
    )
    await service_store.insert_service(tx, scope, service)
    await service_actions.create_default_roles(tx, Scope(account_sid, service.sid))
    await configuration_store.insert_configuration(
        tx,
        scope,
        msgspec.structs.replace(
            rows.configuration, default_inactive_timer=None, default_closed_timer=None
        ),
    )


def reset_account(
    access: ExclusiveAccess, tables: TableClasses, account_sid: str, staying: StayingRows
) -> None:
    """Delete all rows of an account but its credentials and what stays."""
    delete_rows(access, tables, account_sid, except_for=CREDENTIALS)
    access.act(partial(insert_staying_rows, account_sid=account_sid, rows=staying))


def delete_rows(
    access: ExclusiveAccess,
    tables: TableClasses,
    account_sid: str,
    *,
    except_for: frozenset[str] = frozenset(),
) -> None:
    """Delete the rows of an account in all tables of accounts."""
    is_alone = not access.run(_OTHER_ACCOUNTS, account_sid)[0][0]
    for table in tables.of_accounts:
        if table.name in except_for:
            continue
        if is_alone or (table.is_ordered and not _has_other_rows(access, table, account_sid)):
            # tidy: no-sql-building - the names come from the schema
            access.run(f"DELETE FROM {table.quoted}")
        elif table.name == _EVENTS:
            # Rows without an account only show the number of the last event.
            access.run("DELETE FROM main.event WHERE account_sid IN (?, '')", account_sid)
        else:
            # tidy: no-sql-building - the names come from the schema
            access.run(f"DELETE FROM {table.quoted} WHERE {table.column} = ?", account_sid)


def delete_all_rows(access: ExclusiveAccess, tables: TableClasses) -> None:
    """Delete the rows of all accounts."""
    for table in tables.of_accounts:
        # tidy: no-sql-building - the names come from the schema
        access.run(f"DELETE FROM {table.quoted}")
    for name in tables.unassigned:
        # tidy: no-sql-building - the names come from the schema
        access.run(f"DELETE FROM main.{quoted(name)}")


def mark_log(access: ExclusiveAccess) -> int:
    """Append an event of no account, so that the log continues; return its number.

    Event numbers are never used again. Consumers of the log compare their position with the number
    of the last event, so there has to be one.
    """
    access.act(_emit_mark)
    number: int = access.run(_LAST_EVENT)[0][0]
    return number


async def _emit_mark(tx: Transaction) -> None:
    await tx.emit(Scope(""), event_names.ACCOUNT_CHANGED, subject_sid="", payload={})


def _has_other_rows(access: ExclusiveAccess, table: AccountTable, account_sid: str) -> bool:
    """Return whether another account has rows in a table; two lookups in an index."""
    # tidy: no-sql-building - the names come from the schema
    lookup = f"SELECT EXISTS (SELECT 1 FROM {table.quoted} WHERE {table.column} {{}} ?)"
    return any(access.run(lookup.format(sign), account_sid)[0][0] for sign in "<>")
