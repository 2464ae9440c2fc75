"""Counts of bounded work: the number of rows, or that there are at least so many."""

from __future__ import annotations

import msgspec


class BoundedCount(msgspec.Struct, frozen=True):
    """A number of rows; ``at_least``: the count stopped there, and there may be more."""

    count: int
    at_least: bool = False


NONE = BoundedCount(0)


def bounded_count(found: int, most: int) -> BoundedCount:
    """Return the count of a read of up to ``most + 1`` rows."""
    return BoundedCount(min(found, most), found > most)
