"""Dates that stay monotonic if the server's clock is set back."""

from __future__ import annotations


def updated_at(now_ms: int, *, created_ms: int, updated_ms: int) -> int:
    """Return the ``date_updated`` of a change: now, unless the row's own dates are later.

    No ``date_updated`` is before its ``date_created``, and none goes backwards with the clock.
    """
    latest_ms = max(updated_ms, created_ms)
    return max(latest_ms, now_ms)
