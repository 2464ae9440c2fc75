"""Authentication by HTTP Basic: an account's sid and auth token, or an API key and its secret.

Operators authenticate in the same way, with the sid and the secret of their key, and only for
requests that the router serves: everywhere else their login is wrong (``authenticate``).

All failures get the same response: 401, code 20003, whether the name is unknown or the secret
wrong, after the same amount of work. Logins are read from the store and cached for at most a
second: a key revoked by another process stops working within a second, one revoked here at once.

The cost of a login depends on the caches: see the table above ``Authentication``.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from parlour.operations.caller import OPERATOR, Caller, Principal
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from parlour.protocol.header_block import HeaderBlock
    from parlour.protocol.vault import Vault
    from parlour.resources.accounts.login_gate import LoginGate
    from parlour.resources.accounts.login_lookups import CachedLogins
    from parlour.resources.accounts.store import LoginSecret
    from parlour.vocabulary.clock import Clock

CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="Twilio API"'}


class _CachedLogin(NamedTuple):
    """A correct login: its expiry, and until when its lookups bypass the queue."""

    until_ms: float
    recent_until_ms: float
    caller: Caller


class _CachedFailure(NamedTuple):
    """A failed login: its expiry, and the name."""

    until_ms: float
    name: str


# The cost of a login by the state of the caches (``_proven``, ``_wrong``):
#
# | login                                | store                           | wait                  |
# |--------------------------------------|---------------------------------|-----------------------|
# | right within the last second         | nothing                         | none                  |
# | wrong within the last second         | nothing                         | none; a prepared 401  |
# | right within the last ten minutes    | read at once, once a second     | none                  |
# | unknown                              | read in turn                    | in turn               |
# | unknown, its pair failed too often   | read in turn                    | delay, and in turn    |
# | unknown, too many of its pair wait   | nothing, unless it matches the  | none; 429             |
# |                                      | result of the last read         |                       |
#
# The last three rows are the work of resources/accounts/login_gate.py.
class Authentication:
    """Authenticates the callers of requests, with a cache of logins."""

    def __init__(self, gate: LoginGate, vault: Vault, clock: Clock) -> None:
        self._gate = gate
        self._lookups = gate.lookups
        self._vault = vault
        self._clock = clock
        # Keys are keyed digests of the header, so collisions cannot be chosen. Separate caches:
        # guesses cannot evict correct logins.
        self._proven: OrderedDict[str, _CachedLogin] = OrderedDict()
        self._wrong: OrderedDict[str, _CachedFailure] = OrderedDict()
        self.open_account: Callable[[str, str], Awaitable[None]] | None = None
        """With --open-accounts: called with name and secret, to create an unknown account."""
        # The digest of a random secret, compared if a name is unknown.
        self._no_secret = vault.digest(clock.monotonic_ms().hex())

    def evict(self, name: str) -> None:
        """Evict a name from the caches: its login was created or revoked."""
        self._lookups.evict(name)
        for proof in [key for key, each in self._proven.items() if each.caller.login == name]:
            del self._proven[proof]
        for proof in [key for key, each in self._wrong.items() if each.name == name]:
            del self._wrong[proof]

    def evict_all(self) -> None:
        """Evict all names."""
        self._lookups.evict_all()
        self._proven.clear()
        self._wrong.clear()

    def login_digest(self, block: HeaderBlock) -> str:
        """Return the digest of the header, computed once per cached header block."""
        if not block.login_digest:
            block.login_digest = self._vault.digest(_authorization(block) or "")
        return block.login_digest

    def cached_caller(self, block: HeaderBlock) -> Caller | None:
        """Return the caller of a header that was correct within the last second; None: a miss."""
        proven = self._proven.get(block.login_digest or self.login_digest(block))
        if proven is None or proven.until_ms <= self._clock.monotonic_ms():
            return None
        return proven.caller

    def recent_caller(self, block: HeaderBlock) -> Caller | None:
        """Return the caller of a header as of its last lookup: for refusals, not for access."""
        proven = self._proven.get(self.login_digest(block))
        return None if proven is None else proven.caller

    def is_known_wrong(self, block: HeaderBlock, peer: str) -> bool:
        """Return whether this header was wrong within the last second; count it as a failure."""
        if not self._wrong:
            return False
        wrong = self._wrong.get(self.login_digest(block))
        if wrong is None or wrong.until_ms <= self._clock.monotonic_ms():
            return False
        self._gate.failed(peer, wrong.name)
        return True

    async def authenticate(self, block: HeaderBlock, peer: str) -> Caller:
        """Return the account that authenticates. Raises as below, and 401 for an operator."""
        caller = await self.authenticate_any(block, peer)
        if caller.principal is not None:
            raise wrong_login()
        return caller

    async def authenticate_any(self, block: HeaderBlock, peer: str) -> Caller:
        """Return the authenticated caller, which may be an operator.

        ``peer``: the address of the client (http/client_addresses.py). Raises 401, 429, or 403 for
        a suspended account.
        """
        proven = self.cached_caller(block)
        if proven is not None:
            return proven
        authorization = _authorization(block)
        name, secret = _credentials(authorization)
        if self.open_account is not None:
            await self.open_account(name, secret)
        if self.is_known_wrong(block, peer):
            raise wrong_login()
        # Cached once, however the header was spelled.
        pair = base64.b64encode(f"{name}:{secret}".encode()).decode()
        proof = self._vault.digest(f"Basic {pair}")
        if self._is_recent(proof):
            logins = await self._lookups.at_once(name)
            # Not throttled, but a failure counts: the key may have been revoked since.
            known = self._match(secret, logins.secrets)
            if known is None:
                self._gate.failed(peer, name)
        else:
            known, logins = await self._gate.check(
                peer, name, lambda admitted: self._match(secret, admitted)
            )
        if known is None:
            self._proven.pop(proof, None)
            self._cache_wrong(authorization or "", name, logins)
            raise wrong_login()
        if known.status != "active":
            raise ApiError(20005)
        caller = _caller_of(known, name)
        if caller.principal is not None:
            await self._gate.record_use(name)
        self._cache_proven(proof, logins.until_ms, caller)
        return caller

    def _is_recent(self, proof: str) -> bool:
        proven = self._proven.get(proof)
        return proven is not None and proven.recent_until_ms > self._clock.monotonic_ms()

    def _match(self, secret: str, admitted: Iterable[LoginSecret]) -> LoginSecret | None:
        """Return the login with this secret. An unknown name costs the same work as a known one."""
        # Constant time: no early exit at a match, and one comparison at least.
        digest = self._vault.digest(secret)
        known = None
        for login in admitted:
            if self._vault.digests_equal(digest, login.secret_digest):
                known = login
        if known is None:
            self._vault.digests_equal(digest, self._no_secret)
        return known

    def _cache_wrong(self, authorization: str, name: str, logins: CachedLogins) -> None:
        """Cache a wrong login as long as its lookup is cached, so that a change drops both."""
        if self._lookups.cached(name) is not logins:
            return
        proof = self._vault.digest(authorization)
        self._wrong[proof] = _CachedFailure(logins.until_ms, name)
        self._wrong.move_to_end(proof)
        if len(self._wrong) > limits.WRONG_LOGINS_CACHED_MAX:
            self._wrong.popitem(last=False)

    def _cache_proven(self, proof: str, until_ms: float, caller: Caller) -> None:
        recent = self._clock.monotonic_ms() + limits.LOGIN_PROVEN_MS
        self._proven[proof] = _CachedLogin(until_ms, recent, caller)
        self._proven.move_to_end(proof)
        if len(self._proven) > limits.LOGINS_CACHED_MAX:
            self._proven.popitem(last=False)


def _caller_of(known: LoginSecret, name: str) -> Caller:
    if not known.operator_role:
        return Caller(known.account_sid, name)
    return Caller("", name, principal=Principal(OPERATOR, name, known.operator_role))


def _authorization(block: HeaderBlock) -> str | None:
    value = block.fields.get(b"authorization")
    return None if value is None else value.decode("latin-1")


def wrong_login() -> ApiError:
    """Return the error of every failed login."""
    return ApiError(20003, headers=CHALLENGE)


def _credentials(authorization: str | None) -> tuple[str, str]:
    """Return name and secret of a Basic header. Raises 401 for anything else."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(encoded.strip(), validate=True).decode()
        except ValueError:  # No base64, or no UTF-8.
            text = ""
        name, colon, secret = text.partition(":")
        if colon and _can_exist(name):
            return name, secret
    raise wrong_login()


def _can_exist(name: str) -> bool:
    """Return whether a login can have this name; other names are not looked up."""
    return (
        name[:2] in {sids.ACCOUNT, sids.API_KEY, sids.OPERATOR}
        and "\0" not in name
        and len(name) <= limits.LOGIN_NAME_CHARS_MAX
    )
