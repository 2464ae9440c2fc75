"""Exports an account as a seed: the document that creates the same objects in an empty account.

Defaults are left out, keys are derived from the order of the objects, and dates have whole seconds.
So loading an export and exporting again gives the same text. What a seed cannot express
(``declaration.py``) is left out too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.protocol.timestamps import format_date
from parlour.resources.accounts import store as account_store
from parlour.resources.address_configurations.store import AddressConfiguration, AutoCreation
from parlour.resources.configuration import store as configuration_store
from parlour.resources.service_configuration import store as service_configuration_store
from parlour.resources.service_webhook_configuration import (
    store as service_webhook_configuration_store,
)
from parlour.resources.users.store import User
from parlour.resources.virtual_phones import store as virtual_phone_store
from parlour.resources.virtual_phones.store import VirtualPhone
from parlour.resources.webhook_configuration import store as webhook_configuration_store
from parlour.resources.webhook_retries import store as webhook_retries_store
from parlour.testmode.seeds import store as seed_store
from parlour.testmode.seeds.conversation_exporter import export_conversations
from parlour.testmode.seeds.declaration import FORMAT
from parlour.testmode.seeds.errors import seed_error
from parlour.testmode.seeds.exporting import Exporting, clean, dates_of
from parlour.testmode.seeds.text import json_value
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.resources.roles.store import Role
    from parlour.resources.services.store import Service
    from parlour.resources.webhook_configuration.store import WebhookConfiguration
    from parlour.store.transaction import Transaction

_NAMES = msgspec.json.Decoder(list[str])
_DEFAULT_CREATION = AutoCreation()


async def export_account(tx: Transaction, account_sid: str, *, with_sids: bool) -> dict[str, Any]:
    """Return the account as a seed. Raises 20001 if it has more objects than a seed may have."""
    exporting = Exporting(tx, Scope(account_sid), with_sids=with_sids)
    # tidy: no-await-outside-tx - it contains the transaction
    return await _export_all(exporting)


async def _export_all(exporting: Exporting) -> dict[str, Any]:
    await exporting.start()
    document = {
        "parlour": FORMAT,
        "account": await _account(exporting),
        "services": [await _service(exporting, each) for each in exporting.services],
        "roles": _roles(exporting),
        "users": await _users(exporting),
        "addresses": await _addresses(exporting),
        "phones": await _phones(exporting),
        "conversations": await export_conversations(exporting),
    }
    if count_objects(document) > limits.SEED_OBJECTS_MAX:
        reason = f"the account has more than {limits.SEED_OBJECTS_MAX} objects, the most of a seed"
        raise seed_error("", reason)
    return clean(document)


def count_objects(value: Any) -> int:
    """Return the number of objects in lists, without objects in attributes."""
    if isinstance(value, dict):
        return sum(count_objects(each) for name, each in value.items() if name != "attributes")
    if isinstance(value, list):
        return sum(isinstance(each, dict) for each in value) + sum(map(count_objects, value))
    return 0


async def _account(exporting: Exporting) -> dict[str, Any]:
    tx, scope = exporting.tx, exporting.account
    account = await account_store.find_account(tx, scope)
    assert account is not None
    configuration = await configuration_store.get_configuration(tx, scope)
    webhooks = await webhook_configuration_store.get_webhook_configuration(tx, scope)
    retries = await webhook_retries_store.get_webhook_retries(tx, scope)
    return {
        "friendly_name": account.friendly_name,
        "default_messaging_service_sid": (
            configuration.default_messaging_service_sid if exporting.with_sids else None
        ),
        "default_inactive_timer": configuration.default_inactive_timer,
        "default_closed_timer": configuration.default_closed_timer,
        "webhooks": _webhooks(webhooks),
        "emulation": {"webhook_retries": retries.schedule},
    }


def _webhooks(found: WebhookConfiguration) -> dict[str, Any]:
    return {
        "pre_url": found.pre_webhook_url,
        "post_url": found.post_webhook_url,
        "method": found.method if found.method != "POST" else None,
        "filters": _NAMES.decode(found.filters) or None,
        "target": found.target if found.target != "webhook" else None,
    }


async def _service(exporting: Exporting, service: Service) -> dict[str, Any]:
    tx = exporting.tx
    scope = Scope(service.account_sid, service.sid)
    configuration = await service_configuration_store.get_service_configuration(tx, scope)
    webhooks = await service_webhook_configuration_store.get_service_webhook_configuration(
        tx, scope
    )
    return {
        "key": exporting.service_keys[service.sid],
        "sid": exporting.shown_sid(service.sid),
        "friendly_name": service.friendly_name,
        "default": exporting.is_default(service.sid) or None,
        "reachability": bool(configuration.reachability_enabled) or None,
        **exporting.default_roles(service.sid),
        "webhooks": {
            "pre_url": webhooks.pre_webhook_url,
            "post_url": webhooks.post_webhook_url,
            "method": webhooks.method,
            "filters": None if webhooks.filters is None else _NAMES.decode(webhooks.filters),
        },
        **dates_of(service),
    }


def _roles(exporting: Exporting) -> list[dict[str, Any]]:
    """Return the roles that a new service does not have; with SIDs, all of them."""
    return [_role(exporting, each) for each in exporting.roles]


def _role(exporting: Exporting, role: Role) -> dict[str, Any]:
    is_built_in = exporting.is_built_in(role)
    return {
        "key": exporting.role_key(role),
        "sid": exporting.shown_sid(role.sid),
        "service": exporting.service_reference(role.service_sid),
        "type": role.type,
        "friendly_name": role.friendly_name,
        "permissions": _NAMES.decode(role.permissions),
        "built_in": is_built_in or None,
        **({} if is_built_in and not exporting.with_sids else dates_of(role)),
    }


async def _users(exporting: Exporting) -> list[dict[str, Any]]:
    users = await exporting.rows(User)
    return [
        {
            "sid": exporting.shown_sid(user.sid),
            "service": exporting.service_reference(user.service_sid),
            "identity": user.identity,
            "friendly_name": user.friendly_name,
            "attributes": None if user.attributes == "{}" else json_value(user.attributes),
            "role": exporting.role_reference(
                user.role_sid, user.service_sid, "default_chat_service_role_sid"
            ),
            **dates_of(user),
        }
        for user in users
    ]


async def _addresses(exporting: Exporting) -> list[dict[str, Any]]:
    rows = await seed_store.list_of_account(exporting.tx, exporting.account, AddressConfiguration)
    return [
        {
            "sid": exporting.shown_sid(each.sid),
            "type": each.type,
            "address": each.address,
            "friendly_name": each.friendly_name,
            "address_country": each.address_country,
            "auto_creation": _auto_creation(exporting, each.creation),
            **dates_of(each),
        }
        for each in rows
    ]


def _auto_creation(exporting: Exporting, creation: AutoCreation) -> dict[str, Any]:
    service_sid = creation.conversation_service_sid
    known = service_sid if service_sid in exporting.service_keys else None
    return {
        "enabled": creation.enabled or None,
        "type": creation.type if creation.type != _DEFAULT_CREATION.type else None,
        "conversation_service": None if known is None else exporting.service_keys[known],
        "webhook_url": creation.webhook_url,
        "webhook_method": creation.webhook_method,
        "webhook_filters": creation.webhook_filters or None,
        "studio_flow_sid": creation.studio_flow_sid,
        "studio_retry_count": creation.studio_retry_count,
    }


async def _phones(exporting: Exporting) -> list[dict[str, Any]]:
    phones = await seed_store.list_of_account(exporting.tx, exporting.account, VirtualPhone)
    return [
        {
            "address": phone.address,
            "name": phone.name,
            "behaviour": (
                phone.behaviour if phone.behaviour != virtual_phone_store.DELIVER else None
            ),
            "error_code": phone.error_code or None,
            "delay_ms": phone.delay_ms or None,
            "receipts": phone.receipts if phone.receipts != virtual_phone_store.NORMAL else None,
            "reads": bool(phone.reads) or None,
            "date_created": format_date(phone.date_created),
            "date_updated": dates_of(phone)["date_updated"],
        }
        for phone in phones
    ]
