"""Dates that stay monotonic if the server's clock is set back."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

R = TypeVar("R", bound=msgspec.Struct)


def updated_at(now_ms: int, *, created_ms: int, updated_ms: int) -> int:
    """Return the ``date_updated`` of a change: now, unless the row's own dates are later.

    No ``date_updated`` is before its ``date_created``, and none goes backwards with the clock.
    """
    latest_ms = max(updated_ms, created_ms)
    return max(latest_ms, now_ms)


def updated(before: R, now_ms: int, **changes: object) -> R:
    """Return a record with these changes and the ``date_updated`` of a change now."""
    dated: Any = before
    date = updated_at(now_ms, created_ms=dated.date_created, updated_ms=dated.date_updated)
    return msgspec.structs.replace(before, date_updated=date, **changes)
