"""Throttling of wrong logins, by the pair of the client's address and the name that it shows.

States of a pair, and what becomes of a login in it that is not known to be right:

| state     | when                                             | login                            |
|-----------|--------------------------------------------------|----------------------------------|
| calm      | fewer than 10 failures within a minute           | checked at once                  |
| throttled | more, and a place to wait is free                | delayed 500 to 1,250 ms, checked |
| flooded   | throttled, and 256 of the pair are held already  | checked at once against what is  |
|           |                                                  | cached; no match is a 429        |

A login is checked in every state, so a right one gets in during a storm of wrong ones from its own
address: an attacker cannot lock an account out. Known right logins do not come here.

Failures are counted as debt: each adds six seconds, which pass by themselves. The debts stand in
two rows of cells, and a pair has one cell in each, chosen by a keyed hash; the smaller one counts
(a count-min sketch). So memory is constant, and no pair can push another one out. Two pairs that
share both cells by chance are throttled together, which costs a new login half a second.
"""

from __future__ import annotations

from array import array
from typing import Final, Literal

from parlour.vocabulary import limits

State = Literal["calm", "throttled", "flooded"]

_COST_MS: Final = limits.LOGIN_FAILURES_MS / limits.LOGIN_FAILURES_MAX


class LoginThrottle:
    """Failures and held logins of all pairs. Pure: the time is passed in, in milliseconds."""

    def __init__(self, salt: bytes = b"", cells: int = limits.LOGIN_FAILURE_CELLS) -> None:
        """``salt`` makes the cells of a pair unpredictable; ``cells`` is a power of two."""
        assert cells & (cells - 1) == 0
        self._salt = salt
        self._mask = cells - 1
        # When the debt of each cell has passed.
        self._clear_at = (array("d", bytes(8 * cells)), array("d", bytes(8 * cells)))
        self._held: dict[tuple[str, str], int] = {}
        self.held = 0
        self._released_at = 0.0

    def failed(self, peer: str, name: str, now_ms: float) -> None:
        """Count one wrong login."""
        first, second = self._cells(peer, name)
        debt = max(now_ms, min(self._clear_at[0][first], self._clear_at[1][second])) + _COST_MS
        # Never more than the window: a pair that stops guessing is calm a minute later.
        debt = min(debt, now_ms + limits.LOGIN_FAILURES_MS)
        self._clear_at[0][first] = max(self._clear_at[0][first], debt)
        self._clear_at[1][second] = max(self._clear_at[1][second], debt)

    def state(self, peer: str, name: str, now_ms: float) -> State:
        """The state of a pair."""
        first, second = self._cells(peer, name)
        debt = min(self._clear_at[0][first], self._clear_at[1][second]) - now_ms
        if debt <= limits.LOGIN_FAILURES_MS - _COST_MS:
            return "calm"
        of_pair = self._held.get((peer, name), 0)
        held_max = limits.LOGINS_HELD_MAX * (1 if of_pair else 2)
        is_full = self.held >= held_max or of_pair >= limits.LOGINS_HELD_PER_PAIR_MAX
        return "flooded" if is_full else "throttled"

    def hold(self, peer: str, name: str, now_ms: float) -> float:
        """Take a place to wait; `release` gives it back. How long to wait, in milliseconds.

        Those who come together leave one after the other, so that others have their turns between.
        """
        self._held[peer, name] = self._held.get((peer, name), 0) + 1
        self.held += 1
        after_others = self._released_at + limits.LOGIN_RELEASE_PAUSE_MS
        released_at = max(now_ms + limits.LOGIN_DELAY_MS, after_others)
        self._released_at = min(released_at, now_ms + limits.LOGIN_DELAY_MS_MAX)
        return self._released_at - now_ms

    def release(self, peer: str, name: str) -> None:
        """Give the place back."""
        self.held -= 1
        left = self._held[peer, name] - 1
        if left:
            self._held[peer, name] = left
        else:
            del self._held[peer, name]

    def _cells(self, peer: str, name: str) -> tuple[int, int]:
        number = hash((self._salt, peer, name))
        return number & self._mask, (number >> 32) & self._mask
