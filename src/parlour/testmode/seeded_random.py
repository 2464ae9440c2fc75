"""Repeatable randomness: the same seed gives the same SIDs and delays, from run to run."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Final

from parlour.store.sqlite.exclusive import is_sid_taken
from parlour.vocabulary.sids import API_KEY

if TYPE_CHECKING:
    from parlour.vocabulary.clock import Random

_SID_DIGITS = 32
_FRACTION_BITS = 53
_COLLISIONS_MAX: Final = 10_000
"""How often an action is executed again: about the rows that a sequence has to pass by."""


class SeededRandom:
    """Repeatable SIDs and fractions; secrets stay unpredictable.

    Each prefix has a separate sequence, so that the SIDs of conversations do not depend on the
    number of requests. API keys have none: they outlive a reset, after which a sequence may repeat.
    """

    def __init__(self, seed: int | None, secure: Random) -> None:
        """``secure`` is the source of keys and tokens, and of everything without a seed."""
        self._secure = secure
        self._collisions = 0
        self.restart(seed)

    def restart(self, seed: int | None) -> None:
        """Begin all sequences again, with this seed; None: nothing repeats."""
        self._seed = seed
        self._taken: Counter[str] = Counter()

    def sid(self, prefix: str) -> str:
        """Return a new SID."""
        if self._seed is None or prefix == API_KEY:
            return self._secure.sid(prefix)
        return prefix + self._next(prefix).hex()[:_SID_DIGITS]

    def token(self, size_bytes: int) -> bytes:
        """Return that many unpredictable bytes."""
        return self._secure.token(size_bytes)

    def fraction(self) -> float:
        """Return a number in [0, 1)."""
        if self._seed is None:
            return self._secure.fraction()
        number = int.from_bytes(self._next("")[:8], "big") >> (64 - _FRACTION_BITS)
        return number / (1 << _FRACTION_BITS)

    def is_repeated(self, error: Exception | None) -> bool:
        """Return whether an action is executed again, with the next SIDs of the sequences.

        A sequence that starts again may have SIDs of rows that stay: of other accounts after a
        reset, and of a data folder that an earlier run has filled.
        """
        if error is None or self._seed is None or not is_sid_taken(error):
            self._collisions = 0
            return False
        self._collisions += 1
        return self._collisions <= _COLLISIONS_MAX

    def _next(self, sequence: str) -> bytes:
        number = self._taken[sequence]
        self._taken[sequence] += 1
        return hashlib.sha256(f"{self._seed} {sequence} {number}".encode()).digest()
