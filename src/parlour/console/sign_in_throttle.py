"""Throttling of failed sign-ins, by the pair of client address and name, and by address.

| state   | when                                                    | sign-in                     |
|---------|---------------------------------------------------------|-----------------------------|
| open    | fewer failures within a minute than the limit           | checked                     |
| blocked | the limit was reached less than a minute ago            | 429, without a check        |

The limits are SIGN_IN_FAILURES_MAX of a pair and SIGN_IN_FAILURES_OF_ADDRESS_MAX of an address. A
name alone is never blocked: failures of other clients do not lock its owner out. The API has a
different throttle (operations/login_throttle.py): it delays, as programs cannot be asked to wait.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from parlour.vocabulary import limits

_MINUTE_MS: Final = limits.SIGN_IN_FAILURES_SECONDS * 1000


class _Failures:
    """The recent failures of a pair or an address, oldest first, and the end of its block."""

    __slots__ = ("blocked_until_ms", "dates_ms")

    def __init__(self) -> None:
        self.dates_ms: list[float] = []
        self.blocked_until_ms = 0.0


class FailureCounter:
    """Failures by key, bounded: beyond it the longest unused entry is evicted."""

    def __init__(self, failures_max: int) -> None:
        self._failures_max = failures_max
        self._entries: OrderedDict[tuple[str, ...], _Failures] = OrderedDict()

    def is_blocked(self, key: tuple[str, ...], now_ms: float) -> bool:
        """Return whether a key has had too many failures within the last minute."""
        entry = self._entries.get(key)
        return entry is not None and now_ms < entry.blocked_until_ms

    def add(self, key: tuple[str, ...], now_ms: float) -> None:
        """Count a failure; at the limit the key is blocked for a minute."""
        entry = self._entries.setdefault(key, _Failures())
        self._entries.move_to_end(key)
        entry.dates_ms = [each for each in entry.dates_ms if each > now_ms - _MINUTE_MS]
        entry.dates_ms.append(now_ms)
        if len(entry.dates_ms) >= self._failures_max:
            entry.blocked_until_ms = now_ms + _MINUTE_MS
        if len(self._entries) > limits.SIGN_IN_ENTRIES_MAX:
            self._entries.popitem(last=False)

    def remove(self, key: tuple[str, ...], added_ms: float) -> None:
        """Remove the failure that was counted at this time."""
        entry = self._entries.get(key)
        if entry is None or added_ms not in entry.dates_ms:
            return
        entry.dates_ms.remove(added_ms)
        if len(entry.dates_ms) < self._failures_max:
            entry.blocked_until_ms = 0.0


class SignInThrottle:
    """The failures of one process. Pure: the time in milliseconds is an argument."""

    def __init__(self) -> None:
        self._pairs = FailureCounter(limits.SIGN_IN_FAILURES_MAX)
        self._addresses = FailureCounter(limits.SIGN_IN_FAILURES_OF_ADDRESS_MAX)

    def begin(self, peer: str, name: str, now_ms: float) -> bool:
        """Count a sign-in as a failure until `succeed`; return False if it is blocked.

        So guesses that are sent at the same time are counted before the first one is checked.
        """
        if self._pairs.is_blocked((peer, name), now_ms) or self._addresses.is_blocked(
            (peer,), now_ms
        ):
            return False
        self._pairs.add((peer, name), now_ms)
        self._addresses.add((peer,), now_ms)
        return True

    def succeed(self, peer: str, name: str, begun_ms: float) -> None:
        """Remove the failure that `begin` has counted at this time."""
        self._pairs.remove((peer, name), begun_ms)
        self._addresses.remove((peer,), begun_ms)
