"""Service configurations as rows: one for each service, made with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, update, values_of

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class ServiceConfiguration(msgspec.Struct, frozen=True):
    """The settings of one service. ``reachability_enabled`` is 0 or 1."""

    account_sid: str
    service_sid: str
    default_conversation_creator_role_sid: str
    default_conversation_role_sid: str
    default_chat_service_role_sid: str
    reachability_enabled: int


INSERT = insert("service_configuration", ServiceConfiguration)
UPDATE = update("service_configuration", ServiceConfiguration, key=("account_sid", "service_sid"))
FETCH = statement(
    "SELECT {columns} FROM service_configuration WHERE account_sid = $1 AND service_sid = $2",
    ServiceConfiguration,
)
DELETE = "DELETE FROM service_configuration WHERE account_sid = $1 AND service_sid = $2"


async def insert_service_configuration(
    tx: Transaction, scope: Scope, configuration: ServiceConfiguration
) -> None:
    """Keep a new service's configuration."""
    assert configuration.service_sid == scope.service_sid
    await tx.run(INSERT, *values_of(configuration))


async def find_service_configuration(tx: Transaction, scope: Scope) -> ServiceConfiguration | None:
    """The configuration of the scope's service, if the service is still there."""
    row = await tx.one(FETCH, scope.account_sid, scope.service_sid)
    return ServiceConfiguration(*row) if row else None


async def get_service_configuration(tx: Transaction, scope: Scope) -> ServiceConfiguration:
    """The configuration of the scope's service, which always has one."""
    found = await find_service_configuration(tx, scope)
    assert found is not None, scope.service_sid
    return found


async def update_service_configuration_row(
    tx: Transaction, scope: Scope, configuration: ServiceConfiguration
) -> None:
    """Write every changeable column."""
    assert configuration.service_sid == scope.service_sid
    count = await tx.run(UPDATE, *values_of(configuration))
    assert count == 1, scope.service_sid


async def delete_service_configuration_row(tx: Transaction, scope: Scope) -> None:
    """Delete it, with its service."""
    await tx.run(DELETE, scope.account_sid, scope.service_sid)
