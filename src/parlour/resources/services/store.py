"""Services as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, values_of, window
from parlour.store.windows import read_window

if TYPE_CHECKING:
    from parlour.protocol.pages import PageRequest
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Service(msgspec.Struct, frozen=True):
    """One conversation service. Dates in milliseconds since 1970 UTC."""

    account_sid: str
    sid: str
    sequence: int
    friendly_name: str
    date_created: int
    date_updated: int


INSERT = insert("service", Service)
FETCH = statement("SELECT {columns} FROM service WHERE account_sid = $1 AND sid = $2", Service)
LIST = window(
    "SELECT {columns} FROM service WHERE account_sid = $1",
    Service,
    order="sequence",
    arguments=1,
)
DELETE = "DELETE FROM service WHERE account_sid = $1 AND sid = $2"


async def insert_service(tx: Transaction, scope: Scope, service: Service) -> None:
    """Keep a new service."""
    assert service.account_sid == scope.account_sid
    await tx.run(INSERT, *values_of(service))


async def find_service(tx: Transaction, scope: Scope, sid: str) -> Service | None:
    """The service with this sid, if the account has it."""
    row = await tx.one(FETCH, scope.account_sid, sid)
    return Service(*row) if row else None


async def list_services(tx: Transaction, scope: Scope, request: PageRequest) -> list[Service]:
    """The account's services, oldest first."""
    rows = await read_window(tx, LIST, request, scope.account_sid)
    return [Service(*row) for row in rows]


async def delete_service_row(tx: Transaction, scope: Scope, sid: str) -> int:
    """Delete the row; how many that was."""
    return await tx.run(DELETE, scope.account_sid, sid)
