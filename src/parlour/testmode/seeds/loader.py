"""Loads a checked seed in one transaction: settings, users, phones, then conversations.

Objects are created by the actions of the API, so that its validators apply. After an error no
object of the seed exists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol.addresses import normalise_address, parse_proxy_address
from parlour.resources.address_configurations import store as address_configuration_store
from parlour.resources.roles import store as role_store
from parlour.resources.roles.parameters import CreateRole
from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.services import store as service_store
from parlour.resources.users import store as user_store
from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.resources.virtual_phones.parameters import UpdateVirtualPhone
from parlour.resources.webhook_configuration.parameters import (
    UpdateWebhookConfiguration,
    UpdateWebhooks,
)
from parlour.testmode.seeds import store as seed_store
from parlour.testmode.seeds.conversation_loader import load_conversation
from parlour.testmode.seeds.errors import seed_error
from parlour.testmode.seeds.loading import Loading
from parlour.testmode.seeds.transaction import SeedTransaction
from parlour.vocabulary import sids
from parlour.vocabulary.permissions import DEFAULT_ROLES
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.roles.store import Role
    from parlour.resources.services.store import Service
    from parlour.store.transaction import Transaction
    from parlour.testmode.seeds.items import SeedItem

WEBHOOK_RETRIES: Final = "webhook_retries"
"""The key of the emulation that is stored; the others are in memory."""
UNNAMED_SERVICE: Final = "Conversations Service"
_DEFAULT_ROLES: Final = {
    "default_conversation_creator_role": "DefaultConversationCreatorRoleSid",
    "default_conversation_role": "DefaultConversationRoleSid",
    "default_chat_service_role": "DefaultChatServiceRoleSid",
}


async def load_seed(
    tx: Transaction, account_sid: str, root: SeedItem, *, load_ms: int | None = None
) -> dict[str, str]:
    """Create all objects of a seed; return their SIDs by label. Raises ApiError with a path.

    ``load_ms`` replaces the time of the clock.
    """
    loading = Loading(
        SeedTransaction(tx, fires=root.get("fires", False), load_ms=load_ms), account_sid
    )
    # tidy: no-await-outside-tx - it contains the transaction
    return await _load_all(loading, root)


async def _load_all(loading: Loading, root: SeedItem) -> dict[str, str]:
    await loading.start()
    account = root.part("account")
    if account is not None:
        await _load_account(loading, account)
    services = root.items("services")
    for item in services:
        await _load_service(loading, item)
    for item in root.items("roles"):
        await _load_role(loading, item)
    for item in services:
        await _load_service_settings(loading, item)
    for item in root.items("users"):
        await _load_user(loading, item)
    for item in root.items("addresses"):
        await _load_address(loading, item)
    for item in root.items("phones"):
        await _load_phone(loading, item)
    for position, item in enumerate(root.items("conversations")):
        await load_conversation(loading, item, position)
    return loading.sids


def emulation_of(root: SeedItem) -> dict[str, Any]:
    """Return the emulation that is not stored."""
    account = root.part("account")
    emulation = None if account is None else account.part("emulation")
    values = {} if emulation is None else emulation.values
    return {name: value for name, value in values.items() if name != WEBHOOK_RETRIES}


async def _load_account(loading: Loading, item: SeedItem) -> None:
    tx = loading.tx
    tx.begin()
    if item.get("friendly_name") is not None:
        await seed_store.rename_account(tx, loading.account, item.values["friendly_name"])
    if item.forms.get(item.section.parameters):
        await loading.run("UpdateConfiguration", item, loading.account)
    retries = None if (found := item.part("emulation")) is None else found.get(WEBHOOK_RETRIES)
    if retries is not None:
        await loading.run("UpdateWebhookRetries", item, loading.account, {"Retries": [retries]})
    webhooks = item.part("webhooks")
    if webhooks is not None and webhooks.forms.get(UpdateWebhookConfiguration):
        await loading.run("UpdateConfigurationWebhook", webhooks, loading.account)


# --- Services -------------------------------------------------------------------------------


async def _load_service(loading: Loading, item: SeedItem) -> None:
    """Create a service. A default one without a SID is the account's own default service."""
    tx = loading.tx
    loading.begin(item)
    is_default = item.get("default", False)
    if is_default and item.get("sid") in {None, loading.default_service_sid}:
        service = await service_store.find_service(tx, loading.account, loading.default_service_sid)
        assert service is not None
        await _change_service(loading, item, service)
        return
    await loading.give_sid(item, sids.SERVICE)
    form = {"FriendlyName": [item.get("friendly_name") or UNNAMED_SERVICE]}
    service = await loading.run("CreateService", item, loading.account, form)
    loading.add_service(item, service.sid)
    await _change_service(loading, item, service)
    if is_default:
        await _replace_default_service(loading, item, service)


async def _change_service(loading: Loading, item: SeedItem, service: Service) -> None:
    """Set the name and the dates that are given, which the API cannot change."""
    created = item.date("date_created", loading.tx.load_ms)
    updated = item.date("date_updated", loading.tx.load_ms)
    if updated is None:
        updated = service.date_updated if created is None else created
    after = msgspec.structs.replace(
        service,
        friendly_name=item.get("friendly_name", service.friendly_name),
        date_created=service.date_created if created is None else created,
        date_updated=updated,
    )
    if after != service:
        await service_store.update_service_row(loading.tx, loading.account, after)
    loading.add_service(item, service.sid)


async def _replace_default_service(loading: Loading, item: SeedItem, service: Service) -> None:
    """Make a new service the default one, and delete the previous one if it is empty."""
    previous = Scope(loading.account.account_sid, loading.default_service_sid)
    form = {"DefaultChatServiceSid": [service.sid]}
    await loading.run("UpdateConfiguration", item, loading.account, form)
    loading.default_service_sid = service.sid
    if not await seed_store.has_content(loading.tx, previous):
        await loading.run("DeleteService", item, loading.account, Sid=previous.service_sid)


async def _load_service_settings(loading: Loading, item: SeedItem) -> None:
    """Set the default roles, the reachability and the webhooks of a service."""
    scope = Scope(loading.account.account_sid, loading.sids[item.label])
    loading.tx.begin()
    form: dict[str, list[str]] = {}
    for name, wire_name in _DEFAULT_ROLES.items():
        sid = await loading.role_sid(scope, item, name)
        if sid is not None:
            form[wire_name] = [sid]
    if form or item.get("reachability") is not None:
        await loading.run("UpdateServiceConfiguration", item, scope, form)
    webhooks = item.part("webhooks")
    if webhooks is not None and webhooks.forms.get(UpdateWebhooks):
        await loading.run("UpdateServiceWebhookConfiguration", webhooks, scope)


# --- Roles ----------------------------------------------------------------------------------


async def _load_role(loading: Loading, item: SeedItem) -> None:
    tx = loading.tx
    scope = await loading.scope_of(item)
    loading.begin(item)
    if item.get("built_in"):
        role = await _change_built_in_role(loading, scope, item)
    else:
        await loading.give_sid(item, sids.ROLE)
        role = await loading.run("CreateServiceRole", item, scope)
    updated = item.date("date_updated", tx.load_ms)
    if updated is not None:
        role = msgspec.structs.replace(role, date_updated=updated)
        await role_store.update_role_row(tx, scope, role)
    if item.get("built_in") or item.get("key") is not None:
        loading.add_role(scope, role, item.get("key"))
    loading.record(item, role.sid)


async def _change_built_in_role(loading: Loading, scope: Scope, item: SeedItem) -> Role:
    """Change the permissions of a role that the service was created with, or its SID."""
    tx = loading.tx
    name, role_type = item.get("friendly_name"), item.get("type")
    before = await loading.find_built_in_role(scope, name)
    default = next((each for each in DEFAULT_ROLES if each.friendly_name == name), None)
    if before is None or default is None or before.type != role_type:
        raise seed_error(f"{item.path}.friendly_name", f"no built-in role of this type is {name!r}")
    permissions = item.forms[CreateRole]["Permission"]
    form = {"Permission": permissions}
    if item.get("sid") in {None, before.sid}:
        role: Role = await loading.run("UpdateServiceRole", item, scope, form, Sid=before.sid)
        return role
    await loading.give_sid(item, sids.ROLE)
    role = await loading.run("CreateServiceRole", item, scope)
    role = msgspec.structs.replace(role, sequence=before.sequence)
    await role_store.update_role_row(tx, scope, role)
    configuration = await service_configuration_store.get_service_configuration(tx, scope)
    named = {
        setting: role.sid
        for setting in (each.setting for each in DEFAULT_ROLES if each.setting is not None)
        if getattr(configuration, setting) == before.sid
    }
    if named:
        await service_configuration_store.update_service_configuration_row(
            tx, scope, msgspec.structs.replace(configuration, **named)
        )
    await loading.run("DeleteServiceRole", item, scope, Sid=before.sid)
    return role


# --- Users, addresses, phones ---------------------------------------------------------------


async def _load_user(loading: Loading, item: SeedItem) -> None:
    tx = loading.tx
    scope = await loading.scope_of(item)
    loading.begin(item)
    await loading.give_sid(item, sids.USER)
    role_sid = await loading.role_sid(scope, item, "role")
    form = {} if role_sid is None else {"RoleSid": [role_sid]}
    user = await loading.run("CreateServiceUser", item, scope, form)
    updated = item.date("date_updated", tx.load_ms)
    if updated is not None:
        changed = msgspec.structs.replace(user, date_updated=updated)
        await user_store.update_user_row(tx, scope, changed)
    loading.record(item, user.sid)


async def _load_address(loading: Loading, item: SeedItem) -> None:
    tx = loading.tx
    loading.begin(item)
    await loading.give_sid(item, sids.ADDRESS_CONFIGURATION)
    form: dict[str, list[str]] = {}
    if item.get("type") is None:
        address = parse_proxy_address(normalise_address(item.values["address"]))
        if address is None:
            raise seed_error(f"{item.path}.address", "is no address of a known channel")
        form["Type"] = [address.type]
    creation = item.part("auto_creation")
    service = None if creation is None else creation.get("conversation_service")
    if service is not None:
        form["AutoCreation.ConversationServiceSid"] = [loading.service_sid(service)]
    configuration = await loading.run("CreateConfigurationAddress", item, loading.account, form)
    updated = item.date("date_updated", tx.load_ms)
    if updated is not None:
        changed = msgspec.structs.replace(configuration, date_updated=updated)
        await address_configuration_store.update_address_configuration_row(
            tx, loading.account, changed
        )
    loading.record(item, configuration.sid)


async def _load_phone(loading: Loading, item: SeedItem) -> None:
    tx = loading.tx
    loading.begin(item)
    phone = await loading.run("CreateVirtualPhone", item, loading.account)
    if item.forms.get(UpdateVirtualPhone):
        phone = await loading.run(
            "UpdateVirtualPhone", item, loading.account, Address=phone.address
        )
    updated = item.date("date_updated", tx.load_ms)
    if updated is not None:
        changed = msgspec.structs.replace(phone, date_updated=updated)
        await virtual_phone_store.update_virtual_phone_row(tx, loading.account, changed)
