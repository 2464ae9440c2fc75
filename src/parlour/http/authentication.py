"""Who is calling: HTTP Basic with an account's sid and auth token, or an API key and its secret.

Every failure answers alike: 401, code 20003, whether the name is unknown or the secret wrong, and
after the same work. Logins are read from the store and remembered for a second at most, so a key
that another process revokes stops working within that time; one revoked here stops at once.

A login is judged in memory, and what it costs before depends on what is known of it:

| login                                  | store                           | waits               |
|----------------------------------------|---------------------------------|---------------------|
| proven within the last second          | nothing                         | no                  |
| proven within the last ten minutes     | read at once, once a second     | no                  |
| unknown                                | read in turn (login_lookups.py) | in turn             |
| unknown, its pair failed too often     | the same                        | 0.5 s, and in turn  |

What too often means, and how many may wait, stands in operations/login_throttle.py.
"""

from __future__ import annotations

import asyncio
import base64
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from parlour.http.login_lookups import LoginLookups
from parlour.operations.caller import Caller
from parlour.operations.login_throttle import LoginThrottle
from parlour.vocabulary import limits, sids
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from parlour.protocol.vault import Vault
    from parlour.resources.accounts.store import Admitted
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock

CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="Twilio API"'}
_RETRY: Final = {"Retry-After": str(limits.RETRY_AFTER_SECONDS)}


class _Proven(NamedTuple):
    """A login that was right: until when it is without a look, and with one."""

    until_ms: float
    recent_until_ms: float
    caller: Caller


class Authentication:
    """Finds the caller of a request."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._lookups = LoginLookups(store, clock)
        # By the keyed digest of the header as clients write it, which nobody can aim at without
        # the key. Only what was right stands here, so that guesses push nothing out.
        self._proven: OrderedDict[str, _Proven] = OrderedDict()
        self._nobody = vault.digest(clock.monotonic_ms().hex())
        self._throttle = LoginThrottle(salt=self._nobody.encode())
        self._refused = 0
        self._refused_in_flood = 0

    def forget(self, name: str) -> None:
        """A login was made or revoked: ask the store next time."""
        self._lookups.forget(name)
        for proof in [key for key, each in self._proven.items() if each.caller.login == name]:
            del self._proven[proof]

    def proven(self, authorization: str | None) -> Caller | None:
        """The caller of a header that was right within the last second; None says nothing."""
        proven = self._proven.get(self._vault.digest(authorization or ""))
        if proven is None or proven.until_ms <= self._clock.monotonic_ms():
            return None
        return proven.caller

    def recent(self, authorization: str | None) -> Caller | None:
        """The caller of a header that was right at its last look-up: to refuse, not to act."""
        proven = self._proven.get(self._vault.digest(authorization or ""))
        return None if proven is None else proven.caller

    async def caller(self, authorization: str | None, peer: str) -> Caller:
        """The caller that this header proves. Raises 401, 429, or 403 for a suspended account.

        ``peer``: the address of the client (http/peers.py).
        """
        proven = self.proven(authorization)
        if proven is not None:
            return proven
        name, secret = _credentials(authorization)
        # However it was spelled, it is remembered once.
        pair = base64.b64encode(f"{name}:{secret}".encode()).decode()
        proof = self._vault.digest(f"Basic {pair}")
        if self._is_recent(proof):
            logins = await self._lookups.at_once(name)
            is_flooded = False
        else:
            is_flooded = await self._hold(peer, name)
            logins = await self._lookups.in_turn(peer, name)
        known = self._judge(secret, logins.admitted)
        if known is None:
            self._proven.pop(proof, None)
            raise self._refusal(peer, name, is_flooded=is_flooded)
        if known.status != "active":
            raise ApiError(20005)
        caller = Caller(known.account_sid, name)
        self._remember(proof, logins.until_ms, caller)
        return caller

    def _is_recent(self, proof: str) -> bool:
        proven = self._proven.get(proof)
        return proven is not None and proven.recent_until_ms > self._clock.monotonic_ms()

    async def _hold(self, peer: str, name: str) -> bool:
        """Wait, if the pair has failed too often; whether too many of it wait already."""
        now = self._clock.monotonic_ms()
        state = self._throttle.state(peer, name, now)
        if state == "throttled":
            delay = self._throttle.hold(peer, name, now)
            try:
                await asyncio.sleep(delay / 1000)
            finally:
                self._throttle.release(peer, name)
        return state == "flooded"

    def _judge(self, secret: str, admitted: Iterable[Admitted]) -> Admitted | None:
        """The login whose secret this is. The same work for an unknown name as for a known one."""
        digest = self._vault.digest(secret)
        known = None
        for login in admitted:
            if self._vault.same(digest, login.secret_digest):
                known = login
        if known is None:
            self._vault.same(digest, self._nobody)
        return known

    def _refusal(self, peer: str, name: str, *, is_flooded: bool) -> ApiError:
        self._throttle.failed(peer, name, self._clock.monotonic_ms())
        self._refused += 1
        if is_flooded:
            self._refused_in_flood += 1
            return ApiError(20429, headers=_RETRY)
        return ApiError(20003, headers=CHALLENGE)

    def _remember(self, proof: str, until_ms: float, caller: Caller) -> None:
        recent = self._clock.monotonic_ms() + limits.LOGIN_PROVEN_MS
        self._proven[proof] = _Proven(until_ms, recent, caller)
        self._proven.move_to_end(proof)
        if len(self._proven) > limits.LOGINS_REMEMBERED_MAX:
            self._proven.popitem(last=False)

    def figures(self) -> Iterable[Metric]:
        """What the metrics say of logins."""
        yield CounterMetricFamily(
            "parlour_logins_refused", "Wrong logins over HTTP.", value=self._refused
        )
        yield CounterMetricFamily(
            "parlour_logins_flooded",
            "Wrong logins that were answered 429, as too many of their pair were held already.",
            value=self._refused_in_flood,
        )
        yield CounterMetricFamily(
            "parlour_login_reads", "Reads of the store for logins.", value=self._lookups.reads
        )
        held = "Logins that are held before they are judged."
        yield GaugeMetricFamily("parlour_logins_held", held, value=self._throttle.held)


def _credentials(authorization: str | None) -> tuple[str, str]:
    """Name and secret of a Basic header. Raises 401 for anything else."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(encoded.strip(), validate=True).decode()
        except ValueError:  # No base64, or no UTF-8.
            text = ""
        name, colon, secret = text.partition(":")
        if colon and _can_exist(name):
            return name, secret
    raise ApiError(20003, headers=CHALLENGE)


def _can_exist(name: str) -> bool:
    """Whether the name may be an account's or an API key's; no store is asked about others."""
    return (
        name[:2] in {sids.ACCOUNT, sids.API_KEY}
        and "\0" not in name
        and len(name) <= limits.LOGIN_NAME_CHARS_MAX
    )
