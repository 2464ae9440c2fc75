"""Verification of access tokens: signature, key, account and service.

| token                                               | reads from the store                   |
|-----------------------------------------------------|----------------------------------------|
| malformed, or with a signature of a wrong length    | none                                   |
| of an unknown key, or with an invalid signature     | part of a batch, once a second and key |
| with a valid signature                              | the same, and a separate one, so that  |
|                                                     | a revoked key is rejected at once      |

Invalid tokens are throttled by address and key, with the logins (resources/accounts/login_gate.py).
A valid one passes without delay for ten minutes after it was verified.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Protocol

from parlour.operations.caller import Caller
from parlour.operations.server_parts import TokenReport
from parlour.protocol import access_tokens
from parlour.protocol.access_tokens import AccessTokenRefused, TokenCheck
from parlour.resources.accounts import store as account_store
from parlour.resources.services import store as service_store
from parlour.vocabulary import limits
from parlour.vocabulary.errors import CATALOGUE
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.protocol.access_tokens import AccessToken, OnPassed, UnverifiedToken
    from parlour.protocol.vault import Vault
    from parlour.resources.accounts.login_gate import LoginGate
    from parlour.resources.accounts.store import Login, LoginSecret
    from parlour.store.transaction import Store, Transaction
    from parlour.vocabulary.clock import Clock

_ACTIVE: Final = "active"
_SERVICE_UNKNOWN: Final = 51101
_ACCOUNT_NOT_ACTIVE: Final = 20005
# The codes of tokens with an invalid signature, which count as failures; expired ones do not.
_GUESSED: Final = frozenset({access_tokens.BAD_ISSUER, access_tokens.BAD_SIGNATURE})


class ServiceUnknown(Exception):  # noqa: N818 - an expected result, not a fault.
    """The token is valid, but its service does not exist."""


class TokenDates(Protocol):
    """Finds out by which clock a token was made, where tests steer the server's clock."""

    def shift_ms(self, claimed: UnverifiedToken) -> int:
        """Return how far the server's clock was ahead of the token's when that was made."""
        ...


class AccountNotActive(Exception):  # noqa: N818 - as above.
    """The token is valid, but its account is suspended or closed."""


class AccessTokenVerifier:
    """Verifies the access tokens of one process."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        clock: Clock,
        gate: LoginGate,
        *,
        dates: TokenDates | None = None,
    ) -> None:
        """``dates``: None if all tokens have dates of ``clock``."""
        self._store = store
        self._vault = vault
        self._clock = clock
        self._gate = gate
        self._dates = dates
        # By the keyed digest of a token: the time until which it counts as valid.
        self._recent: OrderedDict[str, float] = OrderedDict()

    async def verify(self, text: object, peer: str) -> AccessToken:
        """Return the verified token.

        ``peer``: the address of the client. Raises AccessTokenRefused, ServiceUnknown,
        AccountNotActive, or ApiError 429 after too many invalid tokens.
        """
        claimed = access_tokens.parse_unverified(text)
        proof = self._vault.digest(str(text))
        if self._recent.get(proof, 0.0) > self._clock.monotonic_ms():
            logins = await self._gate.lookups.at_once(claimed.key_sid)
        else:
            _, logins = await self._gate.check(
                peer, claimed.key_sid, lambda found: self._match(claimed, found)
            )
        used = _key_of(claimed, logins.secrets)
        try:
            token = self._prove(claimed, used)
            login = await self._store.read(
                lambda tx: _recheck(tx, token), account_sid=token.account_sid
            )
            # The cached secret may be outdated: then the one just read decides.
            if used is None or not self._vault.digests_equal(
                login.secret_digest, used.secret_digest
            ):
                token = self._prove(claimed, login)
        except AccessTokenRefused:
            self._recent.pop(proof, None)
            raise
        self._cache(proof)
        return token

    def evict_all(self) -> None:
        """Evict all tokens."""
        self._recent.clear()

    async def recheck(self, token: AccessToken) -> None:
        """Check a token again that was verified before. Raises as ``verify`` does."""
        await self._store.read(lambda tx: _recheck(tx, token), account_sid=token.account_sid)

    async def explain(self, text: str, account_sid: str) -> TokenReport:
        """Return what the verification of a token finds; keys of other accounts are unknown."""
        passed: list[TokenCheck] = []
        expires_ms, code, reason = None, 0, ""
        try:
            claimed = access_tokens.parse_unverified(text, passed.append)
            expires_ms = access_tokens.claimed_expiry_ms(claimed)
            if expires_ms is not None:
                expires_ms += self._shift_ms(claimed)
            scope, key_sid = Scope(claimed.account_sid), claimed.key_sid
            login = None
            if claimed.account_sid == account_sid:
                login = await self._store.read(
                    lambda tx: account_store.find_login(tx, scope, key_sid),
                    account_sid=account_sid,
                )
            token = self._prove(claimed, login, passed.append)
            await self._store.read(
                lambda tx: _recheck(tx, token, passed.append), account_sid=account_sid
            )
        except AccessTokenRefused as refused:
            code, reason = refused.code, refused.reason
        except AccountNotActive:
            code, reason = _ACCOUNT_NOT_ACTIVE, CATALOGUE[_ACCOUNT_NOT_ACTIVE].message
        except ServiceUnknown:
            code, reason = _SERVICE_UNKNOWN, CATALOGUE[_SERVICE_UNKNOWN].message
        header, claims = access_tokens.decode_parts(text)
        return TokenReport(tuple(passed), code, reason, header, claims, expires_ms)

    def _prove(
        self,
        claimed: UnverifiedToken,
        login: LoginSecret | Login | None,
        on_passed: OnPassed = access_tokens.ignore,
    ) -> AccessToken:
        secret = None
        if login is not None:
            secret = self._vault.unseal(login.secret_sealed, claimed.key_sid)
        now_ms, shift_ms = self._clock.now_ms(), self._shift_ms(claimed)
        return access_tokens.verify_parsed(claimed, secret, now_ms, shift_ms, on_passed)

    def _shift_ms(self, claimed: UnverifiedToken) -> int:
        return 0 if self._dates is None else self._dates.shift_ms(claimed)

    def _match(self, claimed: UnverifiedToken, admitted: Sequence[LoginSecret]) -> bool | None:
        """Return True if the key signed the token, even if that has expired; else None."""
        try:
            self._prove(claimed, _key_of(claimed, admitted))
        except AccessTokenRefused as refused:
            return None if refused.code in _GUESSED else True
        return True

    def _cache(self, proof: str) -> None:
        self._recent[proof] = self._clock.monotonic_ms() + limits.LOGIN_PROVEN_MS
        self._recent.move_to_end(proof)
        if len(self._recent) > limits.LOGINS_CACHED_MAX:
            self._recent.popitem(last=False)


def _key_of(claimed: UnverifiedToken, admitted: Sequence[LoginSecret]) -> LoginSecret | None:
    """Return the API key that a token names, if it belongs to the account that it names."""
    return next((each for each in admitted if each.account_sid == claimed.account_sid), None)


async def _recheck(
    tx: Transaction, token: AccessToken, on_passed: OnPassed = access_tokens.ignore
) -> Login:
    """Return the token's key if key, account and service exist. Raises as ``verify`` does."""
    scope = scope_of(token)
    login = await account_store.find_login(tx, scope, token.key_sid)
    if login is None:
        raise AccessTokenRefused(access_tokens.BAD_ISSUER, "the key was revoked")
    await _require_active_account(tx, scope)
    on_passed(TokenCheck.ACCOUNT)
    if await service_store.find_service(tx, scope, scope.service_sid) is None:
        raise ServiceUnknown
    on_passed(TokenCheck.SERVICE)
    return login


def scope_of(token: AccessToken) -> Scope:
    """Return the scope that a token is limited to: one service."""
    return Scope(token.account_sid, token.service_sid)


def caller_of(token: AccessToken) -> Caller:
    """Return the caller of a token: a user, restricted by roles."""
    return Caller(token.account_sid, token.key_sid, token.identity)


async def _require_active_account(tx: Transaction, scope: Scope) -> None:
    account = await account_store.find_account(tx, scope)
    if account is None or account.status != _ACTIVE:
        raise AccountNotActive
