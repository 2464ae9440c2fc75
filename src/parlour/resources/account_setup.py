"""Creation of accounts with their dependent rows, by the operator or at startup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.accounts import actions as account_actions
from parlour.resources.accounts import store as account_store
from parlour.resources.accounts.store import Account
from parlour.resources.configuration import store as configuration_store
from parlour.resources.configuration.store import Configuration
from parlour.resources.services import actions as service_actions
from parlour.vocabulary import sids
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.config import Settings
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.clock import Random


async def create_account(
    tx: Transaction, vault: Vault, *, sid: str, auth_token: str, friendly_name: str
) -> Account:
    """Create an account with its auth token, its default service and its configuration."""
    account = Account(
        sid=sid,
        friendly_name=friendly_name,
        status=account_actions.ACTIVE,
        date_created=tx.now,
        date_updated=tx.now,
    )
    scope = Scope(sid)
    await account_store.insert_account(tx, scope, account)
    await account_actions.create_login(tx, vault, scope, sid, auth_token, "auth token")
    service = await service_actions.create_service_with_defaults(
        tx, scope, service_actions.DEFAULT_SERVICE_NAME
    )
    await configuration_store.insert_configuration(
        tx,
        scope,
        Configuration(
            account_sid=sid,
            default_chat_service_sid=service.sid,
            default_messaging_service_sid=tx.new_sid(sids.MESSAGING_SERVICE),
            default_inactive_timer=None,
            default_closed_timer=None,
        ),
    )
    return account


async def ensure_configured(tx: Transaction, vault: Vault, settings: Settings) -> None:
    """Create the account and the API key of the settings, or replace their secrets."""
    name = "Test account" if settings.test else "Made by the settings"
    await ensure_account(tx, vault, settings.account_sid, settings.auth_token, name)
    if settings.api_key_sid:
        await account_actions.ensure_login(
            tx,
            vault,
            Scope(settings.account_sid),
            settings.api_key_sid,
            settings.api_key_secret,
            "Made by the settings",
        )


async def create_first_account(
    tx: Transaction, vault: Vault, random: Random
) -> tuple[str, str] | None:
    """Create an account if there is none; return its SID and auth token, else None."""
    await tx.lock_name("first account")
    if await account_store.list_accounts(tx, "", 1):
        return None
    sid, token = tx.new_sid(sids.ACCOUNT), random.token(16).hex()
    await create_account(tx, vault, sid=sid, auth_token=token, friendly_name="First account")
    return sid, token


async def first_account_sids(tx: Transaction) -> list[str]:
    """Return the SIDs of at most two accounts: the first, and whether there are others."""
    return [account.sid for account in await account_store.list_accounts(tx, "", 2)]


async def ensure_account(
    tx: Transaction, vault: Vault, sid: str, auth_token: str, name: str = "Made by the settings"
) -> None:
    """Create the account if it does not exist, and replace its auth token if it differs."""
    scope = Scope(sid)
    if await account_store.find_account(tx, scope) is None:
        await create_account(tx, vault, sid=sid, auth_token=auth_token, friendly_name=name)
        return
    await account_actions.ensure_login(tx, vault, scope, sid, auth_token, "auth token")
