"""Throttling of failed logins, by the pair of client address and login name.

States of a pair, and the handling of a login that is not known to be correct:

| state     | when                                             | login                            |
|-----------|--------------------------------------------------|----------------------------------|
| calm      | fewer than 10 failures within a minute           | checked at once                  |
| throttled | more, and a slot for a delay is free             | delayed 500 to 1,250 ms, checked |
| flooded   | throttled, and 256 of the pair are delayed       | checked at once against the      |
|           |                                                  | cache; no match is a 429         |

A login is checked in every state, so a correct one succeeds during a flood of wrong ones from its
own address: an attacker cannot lock out an account. Logins known to be correct are not throttled.

Failures are counted as debt: each adds six seconds, which decay with time. The debts are stored in
two rows of cells, and a pair has one cell in each, chosen by a keyed hash; the smaller one counts
(a count-min sketch). So memory is constant, and no pair can evict another one. Two pairs that share
both cells by chance are throttled together, which delays a new login by half a second.

Callbacks of carriers use the same states (http/callback_refusals.py), with the carrier as the name.
"""

from __future__ import annotations

import asyncio
from array import array
from typing import TYPE_CHECKING, Final, Literal

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.clock import Clock

State = Literal["calm", "throttled", "flooded"]

_COST_MS: Final = limits.LOGIN_FAILURES_MS / limits.LOGIN_FAILURES_MAX


class LoginThrottle:
    """Failures and delayed logins of all pairs. Pure: the time in milliseconds is an argument."""

    def __init__(self, salt: bytes = b"", cells: int = limits.LOGIN_FAILURE_CELLS) -> None:
        """``salt`` makes the cells of a pair unpredictable; ``cells`` is a power of two."""
        assert cells & (cells - 1) == 0
        self._salt = salt
        self._mask = cells - 1
        self._cell_count = cells
        # The time at which the debt of each cell has decayed.
        self._clear_at = (array("d", bytes(8 * cells)), array("d", bytes(8 * cells)))
        self._held: dict[tuple[str, str], int] = {}
        self.held = 0
        self._released_at = 0.0

    def forget(self) -> None:
        """Discard all failures; delayed logins keep their slots."""
        self._clear_at = (
            array("d", bytes(8 * self._cell_count)),
            array("d", bytes(8 * self._cell_count)),
        )

    def failed(self, peer: str, name: str, now_ms: float) -> None:
        """Count a failed login."""
        first, second = self._cells(peer, name)
        debt = max(now_ms, min(self._clear_at[0][first], self._clear_at[1][second])) + _COST_MS
        # Capped at the window: a pair without further failures is calm a minute later.
        debt = min(debt, now_ms + limits.LOGIN_FAILURES_MS)
        self._clear_at[0][first] = max(self._clear_at[0][first], debt)
        self._clear_at[1][second] = max(self._clear_at[1][second], debt)

    def state(self, peer: str, name: str, now_ms: float) -> State:
        """Return the state of a pair."""
        first, second = self._cells(peer, name)
        debt = min(self._clear_at[0][first], self._clear_at[1][second]) - now_ms
        if debt <= limits.LOGIN_FAILURES_MS - _COST_MS:
            return "calm"
        of_pair = self._held.get((peer, name), 0)
        held_max = limits.LOGINS_HELD_MAX * (1 if of_pair else 2)
        is_full = self.held >= held_max or of_pair >= limits.LOGINS_HELD_PER_PAIR_MAX
        return "flooded" if is_full else "throttled"

    def hold(self, peer: str, name: str, now_ms: float) -> float:
        """Take a slot until `release`; return the delay in milliseconds.

        Simultaneous logins are released one after the other, so that other work runs in between.
        """
        self._held[peer, name] = self._held.get((peer, name), 0) + 1
        self.held += 1
        after_others = self._released_at + limits.LOGIN_RELEASE_PAUSE_MS
        released_at = max(now_ms + limits.LOGIN_DELAY_MS, after_others)
        self._released_at = min(released_at, now_ms + limits.LOGIN_DELAY_MS_MAX)
        return self._released_at - now_ms

    def release(self, peer: str, name: str) -> None:
        """Release the slot."""
        self.held -= 1
        left = self._held[peer, name] - 1
        if left:
            self._held[peer, name] = left
        else:
            del self._held[peer, name]

    def _cells(self, peer: str, name: str) -> tuple[int, int]:
        number = hash((self._salt, peer, name))
        return number & self._mask, (number >> 32) & self._mask


async def delay(
    throttle: LoginThrottle,
    peer: str,
    name: str,
    clock: Clock,
    ms_max: float = limits.LOGIN_DELAY_MS_MAX,
) -> None:
    """Wait for the delay of a throttled pair, at most ``ms_max``, in a slot of the throttle."""
    delay_ms = min(throttle.hold(peer, name, clock.monotonic_ms()), ms_max)
    try:
        await asyncio.sleep(delay_ms / 1000)
    finally:
        throttle.release(peer, name)
