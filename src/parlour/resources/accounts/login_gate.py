"""Checks logins and tokens that are not cached as valid, with a throttle and a bounded rate.

Basic logins (http/authentication.py) and access tokens (resources/tokens/verification.py) share
one gate in each process, so that their failures and lookups are counted together. The throttle's
states are in operations/login_throttle.py, the costs of lookups in login_lookups.py.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from parlour.operations.login_throttle import LoginThrottle, delay
from parlour.resources.accounts.login_lookups import LoginLookups
from parlour.resources.operators import store as operator_store
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.errors import RETRY_AFTER, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client import Metric

    from parlour.resources.accounts.login_lookups import CachedLogins
    from parlour.resources.accounts.store import LoginSecret
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock

T = TypeVar("T")
_TOUCH_MS: Final = limits.OPERATOR_TOUCH_SECONDS * 1000


class LoginGate:
    """The throttle and the lookups of one process."""

    def __init__(self, store: Store, clock: Clock, salt: bytes) -> None:
        """``salt`` randomizes the throttle's hash buckets against deliberate collisions."""
        self._store = store
        self._clock = clock
        # By the SID of an operator: when this process recorded its use.
        self._touched: dict[str, float] = {}
        self.lookups = LoginLookups(store, clock)
        self._throttle = LoginThrottle(salt)
        self._failures = 0
        self._flooded = 0

    async def check(
        self, peer: str, name: str, match: Callable[[Sequence[LoginSecret]], T | None]
    ) -> tuple[T | None, CachedLogins]:
        """Return the result of ``match`` on the secrets of a name, and these.

        A result of None counts as a failure of the address and name. Raises 429 after too many.
        """
        state = self._throttle.state(peer, name, self._clock.monotonic_ms())
        if state == "flooded":
            # Cached secrets cost no read, so that the owner of the name is not locked out.
            last = self.lookups.last(name)
            if last is None or match(last.secrets) is None:
                self.failed(peer, name)
                self._flooded += 1
                raise ApiError(20429, headers=RETRY_AFTER)
        elif state == "throttled":
            await delay(self._throttle, peer, name, self._clock)
        logins = await self.lookups.in_turn(peer, name)
        found = match(logins.secrets)
        if found is None:
            self.failed(peer, name)
        return found, logins

    async def record_use(self, operator_sid: str) -> None:
        """Record the use of an operator, at most once an hour."""
        now = self._clock.monotonic_ms()
        last = self._touched.get(operator_sid)
        if last is not None and now - last < _TOUCH_MS:
            return
        self._touched[operator_sid] = now
        # A request of an overloaded server does not fail for it.
        with suppress(Busy, Unavailable):
            await self._store.write(lambda tx: operator_store.touch_operator(tx, operator_sid))

    def forget_failures(self) -> None:
        """Discard all failures."""
        self._throttle.forget()

    def failed(self, peer: str, name: str) -> None:
        """Count a failure."""
        self._throttle.failed(peer, name, self._clock.monotonic_ms())
        self._failures += 1

    def metrics(self) -> Iterable[Metric]:
        """Yield the metrics of logins."""
        yield CounterMetricFamily(
            "parlour_logins_refused", "Wrong logins and access tokens.", value=self._failures
        )
        yield CounterMetricFamily(
            "parlour_logins_flooded",
            "Wrong logins that were answered 429, as too many of their pair were held already.",
            value=self._flooded,
        )
        yield CounterMetricFamily(
            "parlour_login_reads", "Reads of the store for logins.", value=self.lookups.reads
        )
        held = "Logins that are held before they are judged."
        yield GaugeMetricFamily("parlour_logins_held", held, value=self._throttle.held)
