"""Checking access tokens against the store: the key's secret, the account, the service.

Who shows a token is asked every time: a key that was revoked a moment ago opens nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.caller import Caller
from parlour.protocol import access_tokens
from parlour.protocol.access_tokens import TokenRefused
from parlour.resources.accounts import store as accounts
from parlour.resources.services import store as services
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.protocol.access_tokens import AccessToken
    from parlour.protocol.vault import Vault
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock

_ACTIVE: Final = "active"


class ServiceUnknown(Exception):  # noqa: N818 - a decision, not a mishap.
    """The token is right, but its service is not there."""


class AccountNotActive(Exception):  # noqa: N818 - as above.
    """The token is right, but its account is suspended or closed."""


class AccessTokens:
    """Tells whom a token lets in."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock

    async def verify(self, text: object) -> AccessToken:
        """The proven token. Raises TokenRefused, ServiceUnknown or AccountNotActive."""
        claimed = access_tokens.read(text)
        scope = Scope(claimed.account_sid)
        login = await self._store.read(lambda tx: accounts.find_login(tx, scope, claimed.key_sid))
        secret = None if login is None else self._vault.unseal(login.secret_sealed, login.name)
        token = access_tokens.prove(claimed, secret, self._clock.now_ms())
        await self._store.read(
            lambda tx: _must_be_open(tx, scope_of(token)), account_sid=token.account_sid
        )
        return token

    async def must_be_good(self, token: AccessToken) -> None:
        """See whether a token that was proven before still lets in. Raises as ``verify`` does."""

        async def look(tx: Transaction) -> None:
            scope = scope_of(token)
            if await accounts.find_login(tx, scope, token.key_sid) is None:
                raise TokenRefused(access_tokens.BAD_ISSUER, "the key was revoked")
            await _must_be_open(tx, scope)

        await self._store.read(look, account_sid=token.account_sid)


def scope_of(token: AccessToken) -> Scope:
    """The one service in which a token is good for anything."""
    return Scope(token.account_sid, token.service_sid)


def caller_of(token: AccessToken) -> Caller:
    """Who shows the token: a user, bound by roles."""
    return Caller(token.account_sid, token.key_sid, token.identity)


async def _must_be_open(tx: Transaction, scope: Scope) -> None:
    account = await accounts.find_account(tx, scope)
    if account is None or account.status != _ACTIVE:
        raise AccountNotActive
    if await services.find(tx, scope, scope.service_sid) is None:
        raise ServiceUnknown
