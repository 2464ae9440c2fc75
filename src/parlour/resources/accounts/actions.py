"""Changes of accounts, of their logins and of their API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.accounts import store as account_store
from parlour.resources.accounts.store import Login
from parlour.resources.console_sessions import store as console_session_store
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

ACTIVE = "active"


async def ensure_login(
    tx: Transaction, vault: Vault, scope: Scope, name: str, secret: str, friendly_name: str
) -> None:
    """Replace the secrets of a name by this one, unless it is stored already."""
    digest = vault.digest(secret)
    known = await account_store.find_login_secrets(tx, name)
    if any(each.secret_digest == digest for each in known):  # tidy: constant-time - both stored.
        return
    await delete_login(tx, scope, name)
    await create_login(tx, vault, scope, name, secret, friendly_name)


async def create_login(
    tx: Transaction, vault: Vault, scope: Scope, name: str, secret: str, friendly_name: str
) -> Login:
    """Insert a login, with a digest to verify its secret and the secret encrypted to sign."""
    login = Login(
        name=name,
        ordinal=0,
        account_sid=scope.account_sid,
        friendly_name=friendly_name,
        secret_digest=vault.digest(secret),
        secret_sealed=vault.seal(secret, name),
        date_created=tx.now,
        date_updated=tx.now,
        sequence=tx.next_sequence(),
    )
    await account_store.insert_login(tx, scope, login)
    return login


async def emit_key_changed(tx: Transaction, scope: Scope, login: Login) -> None:
    """Emit that an API key was created, changed or revoked, so that connections are closed."""
    await tx.emit(
        scope,
        event_names.ACCOUNT_CHANGED,
        subject_sid=login.name,
        payload={"key": {"sid": login.name, "friendly_name": login.friendly_name}},
    )


async def revoke_key(tx: Transaction, scope: Scope, sid: str) -> bool:
    """Revoke an API key of the account; return whether it existed."""
    login = await account_store.find_login(tx, scope, sid)
    if login is None:
        return False
    await delete_login(tx, scope, sid)
    await emit_key_changed(tx, scope, login)
    return True


async def delete_login(tx: Transaction, scope: Scope, name: str) -> None:
    """Delete a login, and end its sessions of the console."""
    await account_store.delete_login_rows(tx, scope, name)
    await console_session_store.delete_of_principal(tx, scope.account_sid, name)


async def set_account_status(tx: Transaction, scope: Scope, status: str) -> bool:
    """Suspend, close or reopen the account; return whether it exists."""
    if not await account_store.update_account_status(tx, scope, status):
        return False
    if status != ACTIVE:
        await console_session_store.delete_of_account(tx, scope.account_sid)
    await tx.emit(
        scope,
        event_names.ACCOUNT_CHANGED,
        subject_sid=scope.account_sid,
        payload={"account": {"sid": scope.account_sid, "status": status}},
    )
    return True


async def rename_account(tx: Transaction, scope: Scope, friendly_name: str) -> None:
    """Change the name of an account."""
    await account_store.update_account_name(tx, scope, friendly_name)
    await tx.emit(
        scope,
        event_names.ACCOUNT_CHANGED,
        subject_sid=scope.account_sid,
        payload={"account": {"sid": scope.account_sid, "friendly_name": friendly_name}},
    )
