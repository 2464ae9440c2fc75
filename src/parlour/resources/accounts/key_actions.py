"""Actions on an account and its API keys through the API.

They require the auth token (``needs_auth_token`` of the routes): an API key that could create
another one, or read the auth token, would outlive its own revocation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.operations.call import RevokedLogin, Rows
from parlour.resources.accounts import store as account_store
from parlour.resources.accounts.actions import create_login, delete_login, emit_key_changed
from parlour.resources.in_path import in_path
from parlour.vocabulary import sids
from parlour.vocabulary.dates import updated
from parlour.vocabulary.redaction import Redacted
from parlour.vocabulary.unset import Unset

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.accounts.parameters import ChangeKey
    from parlour.resources.accounts.store import Account, Login
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class OwnAccount(Redacted, msgspec.Struct, frozen=True):
    """An account and the auth token with which the caller authenticated; None in the console."""

    account: Account
    auth_token: str | None


class NewKey(Redacted, msgspec.Struct, frozen=True):
    """An API key, and the secret that is never shown again."""

    login: Login
    secret: str

    @property
    def sid(self) -> str:
        """The SID of the key."""
        return self.login.sid


_login_in_path = in_path(sids.API_KEY, account_store.find_login)


def _require_own_account(call: Call[Any]) -> None:
    """Raise 404 unless the path names the caller's own account."""
    if call.path["AccountSid"] != call.scope.account_sid:
        raise call.not_found()


async def _key_in_path(tx: Transaction, call: Call[Any]) -> Login:
    _require_own_account(call)
    return await _login_in_path(tx, call)


async def fetch_account(tx: Transaction, call: Call[NoParameters]) -> OwnAccount:
    """Return the caller's account, with its auth token; the console never shows that."""
    _require_own_account(call)
    assert call.caller.login == call.scope.account_sid
    account = await account_store.find_account(tx, call.scope)
    login = await account_store.find_login(tx, call.scope, call.scope.account_sid)
    assert account is not None
    assert login is not None
    if call.caller.principal is not None:
        return OwnAccount(account, None)
    return OwnAccount(account, call.vault.unseal(login.secret_sealed, login.name))


async def list_keys(tx: Transaction, call: Call[NoParameters]) -> Rows:
    """Return a page of the account's API keys."""
    _require_own_account(call)
    return Rows(await account_store.list_keys(tx, call.scope, call.page_request))


async def create_key(tx: Transaction, call: Call[ChangeKey]) -> NewKey:
    """Create an API key, which is valid at once."""
    _require_own_account(call)
    return await create_key_of(tx, call, call.scope)


async def create_key_of(tx: Transaction, call: Call[ChangeKey], scope: Scope) -> NewKey:
    """Create an API key of an account."""
    name = call.parameters.friendly_name
    secret = call.vault.new_secret()
    login = await create_login(
        tx,
        call.vault,
        scope,
        tx.new_sid(sids.API_KEY),
        secret,
        "" if isinstance(name, Unset) else name,
    )
    await emit_key_changed(tx, scope, login)
    return NewKey(login, secret)


async def fetch_key(tx: Transaction, call: Call[NoParameters]) -> Login:
    """Return the API key that the path names."""
    return await _key_in_path(tx, call)


async def update_key(tx: Transaction, call: Call[ChangeKey]) -> Login:
    """Change the name of an API key."""
    before = await _key_in_path(tx, call)
    name = call.parameters.friendly_name
    if isinstance(name, Unset):
        return before
    after = updated(
        before,
        tx.now,
        friendly_name=name,
    )
    await account_store.update_login_row(tx, call.scope, after)
    await emit_key_changed(tx, call.scope, after)
    return after


async def delete_key(tx: Transaction, call: Call[NoParameters]) -> RevokedLogin:
    """Revoke an API key: later requests with it are rejected."""
    login = await _key_in_path(tx, call)
    await delete_login(tx, call.scope, login.name)
    await emit_key_changed(tx, call.scope, login)
    return RevokedLogin(login.name)
