"""Actions on the configuration of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations import scoping
from parlour.resources.changes import settings_saver
from parlour.resources.configuration import store as configuration_store
from parlour.resources.configuration.store import Configuration
from parlour.vocabulary import event_names
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.configuration.parameters import UpdateConfiguration
    from parlour.store.transaction import Transaction


save_configuration = settings_saver(
    Configuration,
    event_names.ACCOUNT_CHANGED,
    "configuration",
    configuration_store.update_configuration_row,
)
"""Writes a changed configuration and emits its event."""


async def fetch_configuration(tx: Transaction, call: Call[NoParameters]) -> Configuration:
    """Return the account's configuration."""
    return await configuration_store.get_configuration(tx, call.scope)


async def update_configuration(tx: Transaction, call: Call[UpdateConfiguration]) -> Configuration:
    """Update the defaults; they apply to conversations and services created later."""
    before = await configuration_store.get_configuration(tx, call.scope)
    change = call.parameters
    sid = change.default_chat_service_sid
    if isinstance(sid, str) and not await scoping.service_is_in_account(tx, call.scope, sid):
        raise ApiError(50050, status=400)
    after = msgspec.structs.replace(before, **change.given())
    await save_configuration(tx, call.scope, after)
    return after
