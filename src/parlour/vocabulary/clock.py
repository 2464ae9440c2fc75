"""Sources of time and randomness, injected so that tests can control both."""

from __future__ import annotations

import os
import secrets
import time
from typing import Final, Protocol

_SID_BYTES: Final = 16
_SIDS_PER_BLOCK: Final = 256


class Clock(Protocol):
    """A source of time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic_ms(self) -> float:
        """Milliseconds of a monotonic clock, for durations."""
        ...


class Random(Protocol):
    """A cryptographically secure source of randomness."""

    def sid(self, prefix: str) -> str:
        """Return a new SID."""
        ...

    def token(self, size_bytes: int) -> bytes:
        """Return that many unpredictable bytes."""
        ...

    def fraction(self) -> float:
        """Return a number in [0, 1)."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        """Milliseconds of the monotonic clock."""
        return time.monotonic() * 1000


class SystemRandom:
    """The operating system's randomness.

    SIDs are taken from a block that is read in one system call. A forked process must not continue
    with its parent's block, so it starts with an empty one.
    """

    def __init__(self) -> None:
        self._block = ""
        self._taken = 0
        os.register_at_fork(after_in_child=self._discard_block)

    def _discard_block(self) -> None:
        self._block = ""
        self._taken = 0

    def sid(self, prefix: str) -> str:
        """Return a new SID of 128 random bits."""
        taken = self._taken
        if taken == len(self._block):
            self._block = secrets.token_hex(_SID_BYTES * _SIDS_PER_BLOCK)
            taken = 0
        self._taken = taken + 2 * _SID_BYTES
        return prefix + self._block[taken : self._taken]

    def token(self, size_bytes: int) -> bytes:
        """Return that many unpredictable bytes."""
        return secrets.token_bytes(size_bytes)

    def fraction(self) -> float:
        """Return a number in [0, 1)."""
        return secrets.randbits(53) / (1 << 53)


class FakeClock:
    """A frozen clock that a test advances."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The current value."""
        return self._now_ms

    def monotonic_ms(self) -> float:
        """The same value."""
        return float(self._now_ms)

    def advance(self, by_ms: int) -> None:
        """Advance both clocks."""
        assert by_ms >= 0
        self._now_ms += by_ms
