"""A source of randomness that returns zeros, for tests that compare derived values."""

from __future__ import annotations

from parlour.vocabulary.clock import SystemRandom


class ZeroRandom(SystemRandom):
    """Returns zeros."""

    def token(self, size_bytes: int) -> bytes:
        """Return as many zero bytes."""
        return bytes(size_bytes)
