"""Waits for what a server does in the background."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Seen = TypeVar("Seen")

PAUSE_SECONDS = 0.02


def eventually(
    look: Callable[[], Seen], accept: Callable[[Seen], object], *, seconds: float = 15.0
) -> Seen:
    """The first thing `look` gives that `accept` takes; an AssertionError if none comes."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if accept(seen):
            return seen
        assert time.monotonic() < deadline, f"Still not so after {seconds} s: {seen!r}"
        time.sleep(PAUSE_SECONDS)
