"""Actions on address configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.operations import scoping
from parlour.operations.call import Rows
from parlour.protocol.addresses import normalise_address, parse_proxy_address
from parlour.resources.accounts import store as account_store
from parlour.resources.address_configurations import store as address_configuration_store
from parlour.resources.address_configurations.store import AddressConfiguration, AutoCreation
from parlour.resources.changes import change_emitter
from parlour.resources.in_path import in_path
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.dates import updated
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.unset import Unset

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.address_configurations.parameters import (
        CreateAddressConfiguration,
        ListAddressConfigurations,
        UpdateAddressConfiguration,
    )
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

CHAT: Final = "chat"
"""The type whose addresses belong to no channel: any text is valid."""

_OF_WEBHOOK: Final = ("webhook_url", "webhook_method", "webhook_filters")
_OF_STUDIO: Final = ("studio_flow_sid", "studio_retry_count")
_FOREIGN: Final = {
    "webhook": _OF_STUDIO,
    "studio": _OF_WEBHOOK,
    "default": _OF_WEBHOOK + _OF_STUDIO,
}
"""The members that are not valid for a type."""


address_configuration_in_path = in_path(
    sids.ADDRESS_CONFIGURATION,
    address_configuration_store.find_address_configuration,
    address_configuration_store.find_address_configuration_by_address,
)
_emit_change = change_emitter(
    AddressConfiguration, event_names.ACCOUNT_CHANGED, "address_configuration"
)


async def list_address_configurations(
    tx: Transaction, call: Call[ListAddressConfigurations]
) -> Rows:
    """Return a page of the account's configurations."""
    type_ = call.parameters.type
    kind = None if isinstance(type_, Unset) else type_
    return Rows(
        await address_configuration_store.list_address_configurations(
            tx, call.scope, call.page_request, kind
        )
    )


async def create_address_configuration(
    tx: Transaction, call: Call[CreateAddressConfiguration]
) -> AddressConfiguration:
    """Create a configuration for an address without one."""
    parameters = call.parameters
    given = parameters.given()
    creation = await _creation(tx, call.scope, AutoCreation(), parameters.auto_creation())
    address = parameters.address
    if parameters.type != CHAT:
        address = normalise_address(address)
    await _require_own_free_address(tx, call.scope, parameters.type, address)
    configuration = AddressConfiguration(
        account_sid=call.scope.account_sid,
        sid=tx.new_sid(sids.ADDRESS_CONFIGURATION),
        sequence=tx.next_sequence(),
        type=parameters.type,
        address=address,
        friendly_name=given.get("friendly_name"),
        address_country=given.get("address_country"),
        auto_creation=address_configuration_store.encode_auto_creation(creation),
        date_created=tx.now,
        date_updated=tx.now,
    )
    await address_configuration_store.insert_address_configuration(tx, call.scope, configuration)
    await _emit_change(tx, call.scope, configuration)
    return configuration


async def _require_own_free_address(tx: Transaction, scope: Scope, kind: str, text: str) -> None:
    """Raise unless the account has the address, and no configuration for it yet."""
    if kind != CHAT:
        address = parse_proxy_address(text)
        if address is None or address.type != kind:
            raise ApiError.invalid("Address")
    if not await account_store.may_send_from(tx, scope, text):
        raise ApiError(20409, "The address does not belong to the account")
    if (
        await address_configuration_store.find_address_configuration_by_address(tx, scope, text)
        is not None
    ):
        raise ApiError(20409, "The address has a configuration already")


async def _creation(
    tx: Transaction, scope: Scope, before: AutoCreation, sent: dict[str, Any]
) -> AutoCreation:
    """Return the rules with the given values, without members that do not suit their type."""
    sid = sent.get("conversation_service_sid")
    if sid is not None and not await scoping.service_is_in_account(tx, scope, sid):
        raise ApiError(50050, status=400)
    after = msgspec.structs.replace(before, **sent)
    after = msgspec.structs.replace(after, **dict.fromkeys(_FOREIGN[after.type]))
    if after.enabled and after.type == "webhook" and not after.webhook_url:
        raise ApiError.missing("AutoCreation.WebhookUrl")
    if after.enabled and after.type == "studio" and not after.studio_flow_sid:
        raise ApiError.missing("AutoCreation.StudioFlowSid")
    if after.type == "webhook" and after.webhook_method is None:
        return msgspec.structs.replace(after, webhook_method="POST")
    return after


async def fetch_address_configuration(
    tx: Transaction, call: Call[NoParameters]
) -> AddressConfiguration:
    """Return the configuration that the path names."""
    return await address_configuration_in_path(tx, call)


async def update_address_configuration(
    tx: Transaction, call: Call[UpdateAddressConfiguration]
) -> AddressConfiguration:
    """Change the name or the rules of a configuration."""
    before = await address_configuration_in_path(tx, call)
    parameters = call.parameters
    creation = await _creation(tx, call.scope, before.creation, parameters.auto_creation())
    after = updated(
        before,
        tx.now,
        friendly_name=parameters.given().get("friendly_name", before.friendly_name),
        auto_creation=address_configuration_store.encode_auto_creation(creation),
    )
    await address_configuration_store.update_address_configuration_row(tx, call.scope, after)
    await _emit_change(tx, call.scope, after)
    return after


async def delete_address_configuration(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a configuration: messages of unknown senders create no conversation any more."""
    configuration = await address_configuration_in_path(tx, call)
    await address_configuration_store.delete_address_configuration_row(
        tx, call.scope, configuration.sid
    )
    await _emit_change(tx, call.scope, configuration)


async def detach_service(tx: Transaction, scope: Scope, service_sid: str) -> None:
    """Replace a deleted service by the default service in the configurations that name it."""
    while True:  # Terminates, because a changed configuration is not found again.
        found = await address_configuration_store.list_address_configurations_of_service(
            tx, scope, service_sid, limits.PURGE_ROWS_MAX
        )
        for before in found:
            creation = msgspec.structs.replace(before.creation, conversation_service_sid=None)
            after = updated(
                before,
                tx.now,
                auto_creation=address_configuration_store.encode_auto_creation(creation),
            )
            await address_configuration_store.update_address_configuration_row(tx, scope, after)
            await _emit_change(tx, scope, after)
        if len(found) < limits.PURGE_ROWS_MAX:
            return
