"""Account configurations as rows: one for each account, made with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.store.statements import insert, statement, update, values_of

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class Configuration(msgspec.Struct, frozen=True):
    """The settings of one account. Timers are ISO 8601 durations, None when off."""

    account_sid: str
    default_chat_service_sid: str
    default_messaging_service_sid: str | None
    default_inactive_timer: str | None
    default_closed_timer: str | None


INSERT = insert("configuration", Configuration)
UPDATE = update("configuration", Configuration, key=("account_sid",))
FETCH = statement("SELECT {columns} FROM configuration WHERE account_sid = $1", Configuration)


async def insert_configuration(tx: Transaction, scope: Scope, configuration: Configuration) -> None:
    """Keep a new account's configuration."""
    assert configuration.account_sid == scope.account_sid
    await tx.run(INSERT, *values_of(configuration))


async def get_configuration(tx: Transaction, scope: Scope) -> Configuration:
    """The configuration of the scope's account, which always has one."""
    row = await tx.one(FETCH, scope.account_sid)
    assert row is not None, scope.account_sid
    return Configuration(*row)


async def update_configuration_row(
    tx: Transaction, scope: Scope, configuration: Configuration
) -> None:
    """Write every changeable column."""
    assert configuration.account_sid == scope.account_sid
    count = await tx.run(UPDATE, *values_of(configuration))
    assert count == 1, scope.account_sid
