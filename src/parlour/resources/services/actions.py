"""Actions on services. A new one gets four default roles and a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.operations import purge
from parlour.operations.call import Rows
from parlour.resources.address_configurations import actions as address_configuration_actions
from parlour.resources.configuration import store as configuration_store
from parlour.resources.configuration.actions import save_configuration as keep_configuration
from parlour.resources.in_path import in_path
from parlour.resources.roles import store as role_store
from parlour.resources.roles.store import Role
from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.service_configuration.store import ServiceConfiguration
from parlour.resources.service_webhook_configuration import (
    store as service_webhook_configuration_store,
)
from parlour.resources.services import store as service_store
from parlour.resources.services.store import Service
from parlour.vocabulary import event_names, sids
from parlour.vocabulary.permissions import DEFAULT_ROLES
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.services.parameters import CreateService
    from parlour.store.transaction import Transaction

DEFAULT_SERVICE_NAME = "Default Conversations Service"


service_in_path = in_path(sids.SERVICE, service_store.find_service)


async def create_service(tx: Transaction, call: Call[CreateService]) -> Service:
    """Create a service with its default roles and its configuration."""
    return await create_service_with_defaults(tx, call.scope, call.parameters.friendly_name)


async def create_service_with_defaults(
    tx: Transaction, scope: Scope, friendly_name: str
) -> Service:
    """Insert a service, its default roles and its configuration."""
    service = Service(
        account_sid=scope.account_sid,
        sid=tx.new_sid(sids.SERVICE),
        sequence=tx.next_sequence(),
        friendly_name=friendly_name,
        date_created=tx.now,
        date_updated=tx.now,
    )
    await service_store.insert_service(tx, scope, service)
    service_scope = Scope(scope.account_sid, service.sid)
    await create_default_roles(tx, service_scope)
    await tx.emit(
        service_scope,
        event_names.SERVICE_CHANGED,
        subject_sid=service.sid,
        payload={"service": service},
    )
    return service


async def create_default_roles(tx: Transaction, scope: Scope) -> None:
    """Insert the default roles of a new service, and the configuration that names them."""
    settings: dict[str, str] = {}
    for default in DEFAULT_ROLES:
        role = Role(
            account_sid=scope.account_sid,
            service_sid=scope.service_sid,
            sid=tx.new_sid(sids.ROLE),
            sequence=tx.next_sequence(),
            friendly_name=default.friendly_name,
            type=default.type,
            permissions=msgspec.json.encode(default.permissions).decode(),
            date_created=tx.now,
            date_updated=tx.now,
        )
        await role_store.insert_role(tx, scope, role)
        if default.setting is not None:
            settings[default.setting] = role.sid
    await service_configuration_store.insert_service_configuration(
        tx,
        scope,
        ServiceConfiguration(
            account_sid=scope.account_sid,
            service_sid=scope.service_sid,
            reachability_enabled=0,
            **settings,
        ),
    )


async def fetch_service(tx: Transaction, call: Call[NoParameters]) -> Service:
    """Return the service that the path names."""
    return await service_in_path(tx, call)


async def list_services(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of the account's services."""
    return Rows(await service_store.list_services(tx, call.scope, call.page_request))


async def delete_service(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a service and everything below it.

    The rows below it can be many, so they are purged in the background: without the service they
    are unreachable. Address pairs are unique in the account, so they are released at once. Deleting
    the default service creates a new, empty one, so that the short URL form always resolves.
    """
    service = await service_in_path(tx, call)
    await service_store.delete_service_row(tx, call.scope, service.sid)
    service_scope = Scope(service.account_sid, service.sid)
    await service_webhook_configuration_store.delete_service_webhook_configuration(
        tx, service_scope
    )
    await purge.enqueue_service(tx, service_scope)
    await address_configuration_actions.detach_service(tx, call.scope, service.sid)
    configuration = await configuration_store.get_configuration(tx, call.scope)
    if configuration.default_chat_service_sid == service.sid:
        replacement = await create_service_with_defaults(tx, call.scope, DEFAULT_SERVICE_NAME)
        configuration = msgspec.structs.replace(
            configuration, default_chat_service_sid=replacement.sid
        )
        await keep_configuration(tx, call.scope, configuration)
    await tx.emit(
        service_scope,
        event_names.SERVICE_CHANGED,
        subject_sid=service.sid,
        payload={"service": service},
    )
