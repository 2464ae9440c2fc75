"""Actions on the configuration of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.changes import settings_saver
from parlour.resources.roles import store as role_store
from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.service_configuration.store import ServiceConfiguration
from parlour.vocabulary import event_names
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.permissions import RoleType

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.service_configuration.parameters import UpdateServiceConfiguration
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope
    from parlour.vocabulary.unset import Unset


_save = settings_saver(
    ServiceConfiguration,
    event_names.SERVICE_CHANGED,
    "service_configuration",
    service_configuration_store.update_service_configuration_row,
)


async def fetch_service_configuration(
    tx: Transaction, call: Call[NoParameters]
) -> ServiceConfiguration:
    """Return the service's configuration."""
    return await service_configuration_store.get_service_configuration(tx, call.scope)


async def update_service_configuration(
    tx: Transaction, call: Call[UpdateServiceConfiguration]
) -> ServiceConfiguration:
    """Update the defaults; existing users and participants keep their roles."""
    before = await service_configuration_store.get_service_configuration(tx, call.scope)
    change = call.parameters
    for sid in (
        change.default_conversation_creator_role_sid,
        change.default_conversation_role_sid,
    ):
        await _require_role(tx, call.scope, sid, RoleType.CONVERSATION)
    await _require_role(tx, call.scope, change.default_chat_service_role_sid, RoleType.SERVICE)
    given = change.given()
    if "reachability_enabled" in given:
        given["reachability_enabled"] = int(given["reachability_enabled"])
    after = msgspec.structs.replace(before, **given)
    await _save(tx, call.scope, after)
    return after


async def _require_role(
    tx: Transaction, scope: Scope, sid: str | Unset, role_type: RoleType
) -> None:
    """Raise unless the sid is unset, or names a role of this service and type."""
    if not isinstance(sid, str):
        return
    role = await role_store.find_role(tx, scope, sid)
    if role is None or role.type != role_type:
        raise ApiError(50102 if role_type is RoleType.SERVICE else 50109)
