"""Creation of access tokens, equal to those that an application signs with its API key.

A caller with an API key gets tokens signed by that key only: revoking it invalidates all of them. A
caller with the auth token names the key; without one, a development key is created once and stored
among the account's API keys, so that revoking it invalidates every token that it signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.protocol import access_tokens
from parlour.resources.accounts import store as account_store
from parlour.resources.accounts.actions import create_login
from parlour.resources.configuration import store as configuration_store
from parlour.resources.services import store as service_store
from parlour.resources.tokens import store as token_store
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.server_parts import ServerParts, TokenReport
    from parlour.protocol.vault import Vault
    from parlour.resources.accounts.store import Login
    from parlour.resources.tokens.parameters import CreateToken, CreateTokenCheck
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

DEVELOPMENT_KEY_NAME: Final = "Parlour development tokens"


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a token. Defaults: the default service, and the development key."""

    identity: str
    service_sid: str | None = None
    ttl_seconds: int = limits.ACCESS_TOKEN_SECONDS_DEFAULT
    api_key_sid: str | None = None


class IssuedToken(Redacted, msgspec.Struct, frozen=True):
    """A token and its parameters; it is not stored."""

    token: str
    identity: str
    service_sid: str
    expires_ms: int


async def create_token(tx: Transaction, call: Call[CreateToken]) -> IssuedToken:
    """Create an access token. Raises 20403 for an API key that names another one."""
    given, login = call.parameters.given(), call.caller.login
    if sids.is_sid(sids.API_KEY, login) and given.setdefault("api_key_sid", login) != login:
        raise ApiError(20403)
    request = TokenRequest(**given)
    is_marked = call.settings.marks_tokens
    return await issue_token(tx, call.vault, call.scope, request, is_of_server_clock=is_marked)


async def create_token_check(parts: ServerParts, call: Call[CreateTokenCheck]) -> TokenReport:
    """Return the checks of a token, as a connection with it would make them."""
    text = call.parameters.given()["token"]
    return await parts.access_tokens.explain(text, call.scope.account_sid)


async def issue_token(
    tx: Transaction,
    vault: Vault,
    scope: Scope,
    request: TokenRequest,
    *,
    is_of_server_clock: bool = False,
) -> IssuedToken:
    """Return a token for a user of the scope's account, who need not exist. Raises ApiError.

    ``is_of_server_clock``: as in `access_tokens.make`.
    """
    service_sid = request.service_sid
    if service_sid is None:
        service_sid = (
            await configuration_store.get_configuration(tx, scope)
        ).default_chat_service_sid
    elif await service_store.find_service(tx, scope, service_sid) is None:
        raise ApiError(50050, status=400)
    key = await _signing_key(tx, vault, scope, request.api_key_sid)
    token = access_tokens.make(
        account_sid=scope.account_sid,
        key_sid=key.name,
        secret=vault.unseal(key.secret_sealed, key.name),
        identity=request.identity,
        service_sid=service_sid,
        now_ms=tx.now,
        ttl_seconds=request.ttl_seconds,
        is_of_server_clock=is_of_server_clock,
    )
    # The token contains whole seconds.
    expires_ms = (tx.now // 1000 + request.ttl_seconds) * 1000
    return IssuedToken(token, request.identity, service_sid, expires_ms)


async def _signing_key(
    tx: Transaction, vault: Vault, scope: Scope, api_key_sid: str | None
) -> Login:
    if api_key_sid is None:
        existing = await token_store.find_key_by_name(tx, scope, DEVELOPMENT_KEY_NAME)
        return existing or await _create_development_key(tx, vault, scope)
    found = await account_store.find_login(tx, scope, api_key_sid)
    if found is None:
        raise ApiError.invalid("ApiKeySid")
    return found


async def _create_development_key(tx: Transaction, vault: Vault, scope: Scope) -> Login:
    sid, secret = tx.new_sid(sids.API_KEY), vault.new_secret()
    login = await create_login(tx, vault, scope, sid, secret, DEVELOPMENT_KEY_NAME)
    await tx.emit(
        scope,
        event_names.ACCOUNT_CHANGED,
        subject_sid=sid,
        payload={"key": {"sid": sid, "friendly_name": DEVELOPMENT_KEY_NAME}},
    )
    return login
