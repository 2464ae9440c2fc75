"""The table of numbers: the copy of the carriers file's routes and numbers in the database.

It is written at the start of a node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from parlour.resources.accounts import store as account_store
from parlour.resources.carrier_numbers import store as carrier_number_store
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.channels.carriers_file import CarrierSettings
    from parlour.resources.carrier_numbers.store import CarrierNumber
    from parlour.store.transaction import Store, Transaction

log = structlog.get_logger()


async def publish(store: Store, settings: CarrierSettings) -> None:
    """Copy the routes and numbers of a file to the database; the last start wins.

    Nothing is written if the file in force has the same. Numbers of an account that does not exist
    are copied, and logged: the account may be created later.
    """
    in_force = await store.read(carrier_number_store.find_file_digest)
    if in_force != settings.checksum:
        await store.write(
            lambda tx: carrier_number_store.replace_all(
                tx, settings.routes, settings.numbers, settings.checksum
            )
        )
        log.info(
            "carriers_file_applied", routes=len(settings.routes), numbers=len(settings.numbers)
        )
    for account_sid in await store.read(lambda tx: find_unknown_accounts(tx, settings)):
        log.warning("carrier_number_account_missed", account_sid=account_sid)


async def find_number(store: Store, receiver: str) -> CarrierNumber | None:
    """Return the entry of a receiver in the table of numbers."""
    return await store.read(lambda tx: carrier_number_store.find_number(tx, receiver))


async def find_unknown_accounts(tx: Transaction, settings: CarrierSettings) -> list[str]:
    """Return the accounts that own numbers of the file and do not exist."""
    named = sorted({each.account_sid for each in settings.numbers})
    return [sid for sid in named if await account_store.find_account(tx, Scope(sid)) is None]
