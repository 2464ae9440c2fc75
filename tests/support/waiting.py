"""Waits for what a server does in the background."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from tests.support.pressure import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable

Seen = TypeVar("Seen")

PAUSE_SECONDS = 0.02


def eventually(
    look: Callable[[], Seen], accept: Callable[[Seen], object], *, seconds: float = 15.0
) -> Seen:
    """The first thing `look` gives that `accept` takes; an AssertionError if none comes.

    `seconds` are those of a machine without another load: a busy one has more.
    """
    watch = Stopwatch()
    while True:
        seen = look()
        if accept(seen):
            return seen
        assert not watch.is_over(seconds), f"Still not so after {seconds} s: {seen!r}"
        time.sleep(PAUSE_SECONDS)
