"""Refusals that are held back for a moment, so that they do not take the time of the work.

A refusal costs a tenth of an answer and more, nearly all of it in the kernel. A server that is
offered ten times what it can do would do little else. A refused client has one request on its
connection and waits for the answer, so it asks again only when it has that: to hold the refusal
back is to slow down those who ask, without a pause of reading and its system calls.

How many may go follows from how many requests are carried out, so it is right on a fast and on a
slow machine:

====================================  =========================================================
a refusal that is held                goes while there is something left of
====================================  =========================================================
not at all: it has just been decided  ``REFUSALS_PER_REQUEST`` for each request and
                                      ``REFUSALS_PER_MS``, if no other is held
for less than ``REFUSAL_DELAY_MS``     the same
for longer                            the same, and ``LATE_REFUSALS_PER_REQUEST`` for each request
for ``REFUSAL_DELAY_MS_MAX``           (it goes)
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
    """Says when a refusal is to be sent. ``T`` is whatever it is sent to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: deque[tuple[float, T]] = deque(maxlen=limits.REFUSALS_DELAYED_MAX)
        self._tokens = float(limits.REFUSALS_AT_ONCE_MAX)
        self._late_tokens = 0.0
        self._earned = 0
        """Requests that were carried out since the tokens were counted."""
        self._counted_ms = clock.monotonic_ms()

    def __len__(self) -> int:
        """How many are held back."""
        return len(self._held)

    def hold(self, refused: T) -> bool:
        """Hold a refusal back until ``due`` returns it; False: it is to be sent now."""
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
        """Count a request that was carried out."""
        self._earned += 1

    def due(self) -> list[T]:
        """Take out those that are to be sent now, those that came first at first."""
        now = self._clock.monotonic_ms()
        self._refill(now)
        held, found = self._held, []
        while held and self._may_go(now - held[0][0]):
            found.append(held.popleft()[1])
        return found

    def _may_go(self, held_ms: float) -> bool:
        """Whether a refusal may go that was held for so long; counts it then."""
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
