"""Who is calling: HTTP Basic with an account's sid and auth token, or an API key and its secret.

Every failure answers alike: 401, code 20003, whether the name is unknown or the secret wrong, and
after the same work. Logins are read from the store and remembered for a second at most, so a key
that another process revokes stops working within that time; one revoked here stops at once.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from parlour.operations.caller import Caller
from parlour.resources.accounts import store as accounts
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.protocol.vault import Vault
    from parlour.resources.accounts.store import Admitted
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock

CHALLENGE = {"WWW-Authenticate": 'Basic realm="Twilio API"'}


class _Remembered(NamedTuple):
    until_ms: float
    logins: list[Admitted]


class _Proven(NamedTuple):
    until_ms: float
    caller: Caller


class Authentication:
    """Finds the caller of a request."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        # By the keyed digest of the whole header, which nobody can aim at without the key.
        self._proven: dict[str, _Proven] = {}
        self._nobody = vault.digest(clock.monotonic_ms().hex())

    def forget(self, name: str) -> None:
        """A login was made or revoked: ask the store next time."""
        self._remembered.pop(name, None)
        self._proven.clear()

    async def caller(self, authorization: str | None) -> Caller:
        """The caller that this header proves. Raises 401, or 403 for a suspended account."""
        proof = self._vault.digest(authorization or "")
        proven = self._proven.get(proof)
        now = self._clock.monotonic_ms()
        if proven is not None and proven.until_ms > now:
            return proven.caller
        proven = await self._check(authorization)
        if len(self._proven) >= limits.LOGINS_REMEMBERED_MAX:
            self._proven.clear()
        self._proven[proof] = proven
        return proven.caller

    async def _check(self, authorization: str | None) -> _Proven:
        name, secret = _credentials(authorization)
        digest = self._vault.digest(secret)
        known = None
        remembered = await self._logins(name)
        for login in remembered.logins:
            if self._vault.same(digest, login.secret_digest):
                known = login
        if known is None:
            # The same work for an unknown name as for a wrong secret.
            self._vault.same(digest, self._nobody)
            raise ApiError(20003, headers=CHALLENGE)
        if known.status != "active":
            raise ApiError(20005)
        return _Proven(remembered.until_ms, Caller(known.account_sid, name))

    async def _logins(self, name: str) -> _Remembered:
        now = self._clock.monotonic_ms()
        remembered = self._remembered.get(name)
        if remembered is not None and remembered.until_ms > now:
            return remembered
        logins = await self._store.read(lambda tx: accounts.admitted(tx, name), asks_once=True)
        remembered = _Remembered(now + limits.LOGIN_REMEMBERED_MS_MAX, logins)
        self._remembered[name] = remembered
        self._remembered.move_to_end(name)
        if len(self._remembered) > limits.LOGINS_REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return remembered


def _credentials(authorization: str | None) -> tuple[str, str]:
    """Name and secret of a Basic header. Raises 401 for anything else."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(encoded.strip(), validate=True).decode()
        except ValueError:  # No base64, or no UTF-8.
            text = ""
        name, colon, secret = text.partition(":")
        if colon and "\0" not in name:
            return name, secret
    raise ApiError(20003, headers=CHALLENGE)
