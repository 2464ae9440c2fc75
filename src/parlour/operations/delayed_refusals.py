"""Rejections that are delayed under overload, so that they do not use up the CPU.

A rejection costs a tenth of a response or more, nearly all of it in the kernel. A server that is
offered ten times its capacity would do little else. A rejected client has one request on its
connection and retries only after the response: a delayed rejection is backpressure, without the
system calls of pausing reads.

The number of rejections sent follows the number of completed requests, so it suits fast and slow
machines:

====================================  =========================================================
a rejection                           is sent while tokens remain of
====================================  =========================================================
just decided                          ``REFUSALS_PER_REQUEST`` for each request and
                                      ``REFUSALS_PER_MS``, if no other is delayed
delayed less than
``REFUSAL_DELAY_MS``                  the same
delayed longer                        the same, and ``LATE_REFUSALS_PER_REQUEST`` for each request
delayed ``REFUSAL_DELAY_MS_MAX``      (it is sent in any case)
====================================  =========================================================
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.clock import Clock

T = TypeVar("T")


class DelayedRefusals(Generic[T]):
    """A queue of rejections, paced by token buckets. ``T`` identifies the connection."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: deque[tuple[float, T]] = deque(maxlen=limits.REFUSALS_DELAYED_MAX)
        self._tokens = float(limits.REFUSALS_AT_ONCE_MAX)
        self._late_tokens = 0.0
        self._earned = 0
        """Requests completed since the last refill of the tokens."""
        self._counted_ms = clock.monotonic_ms()

    def __len__(self) -> int:
        """Return the number of delayed rejections."""
        return len(self._held)

    def hold(self, refused: T) -> bool:
        """Delay a rejection until ``due`` returns it; False: send it now."""
        if len(self._held) == limits.REFUSALS_DELAYED_MAX:
            return False
        if not self._held:
            self._refill(self._clock.monotonic_ms())
            if self._tokens >= 1:
                self._tokens -= 1
                return False
        self._held.append((self._clock.monotonic_ms(), refused))
        return True

    def earn(self) -> None:
        """Count a completed request."""
        self._earned += 1

    def due(self) -> list[T]:
        """Dequeue the rejections to send now, in FIFO order."""
        now = self._clock.monotonic_ms()
        self._refill(now)
        held, found = self._held, []
        while held and self._may_go(now - held[0][0]):
            found.append(held.popleft()[1])
        return found

    def _may_go(self, held_ms: float) -> bool:
        """Take a token for a rejection delayed by ``held_ms``; return whether it may be sent."""
        if self._late_tokens >= 1 and held_ms >= limits.REFUSAL_DELAY_MS:
            self._late_tokens -= 1
        elif self._tokens >= 1:
            self._tokens -= 1
        else:
            return held_ms >= limits.REFUSAL_DELAY_MS_MAX
        return True

    def _refill(self, now: float) -> None:
        most = limits.REFUSALS_AT_ONCE_MAX
        requests, self._earned = self._earned, 0
        tokens = (now - self._counted_ms) * limits.REFUSALS_PER_MS
        tokens += requests * limits.REFUSALS_PER_REQUEST
        late_tokens = requests * limits.LATE_REFUSALS_PER_REQUEST
        self._tokens = min(most, self._tokens + tokens)
        self._late_tokens = min(most, self._late_tokens + late_tokens)
        self._counted_ms = now
