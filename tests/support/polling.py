"""Polling for results of a server's background work."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, TypeVar

from tests.support.machine_pressure import Stopwatch

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

Seen = TypeVar("Seen")

PAUSE_SECONDS = 0.02


def eventually(
    look: Callable[[], Seen], accept: Callable[[Seen], object], *, seconds: float = 15.0
) -> Seen:
    """Return the first result of `look` that `accept` accepts; AssertionError after the timeout.

    `seconds` is the timeout on an idle machine; it is extended on a busy one.
    """
    watch = Stopwatch()
    while True:
        seen = look()
        if accept(seen):
            return seen
        assert not watch.is_over(seconds), f"Still not so after {seconds} s: {seen!r}"
        time.sleep(PAUSE_SECONDS)


def readable(sockets: Sequence[socket.socket], seconds: float) -> list[socket.socket]:
    """Return those that can be read, as soon as there is one; empty after some seconds.

    Unlike ``select()`` it takes descriptors above 1,023, which a worker of the tests can come to.
    """
    poll = select.poll()
    for each in sockets:
        poll.register(each, select.POLLIN)
    found = {number for number, _ in poll.poll(seconds * 1000)}
    return [each for each in sockets if each.fileno() in found]
