"""Rate limit of typing indicators, by user and conversation."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.clock import Clock


# state    event                               next
# -------  ----------------------------------  ------------------------------
# absent   an indicator                        limited: it is published
# limited  an indicator                        limited: it is dropped
# limited  TYPING_AGAIN_MS elapsed, or more    absent
#          than TYPISTS_MAX are limited and
#          this one is the oldest
class TypingLimiter:
    """Limit the rate of typing indicators."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._published_ms: OrderedDict[tuple[object, str], float] = OrderedDict()

    def forget(self) -> None:
        """Discard the published indicators."""
        self._published_ms.clear()

    def is_due(self, typist: object, conversation_sid: str) -> bool:
        """Return whether an indicator may be published now; it counts as published then."""
        now_ms = self._clock.monotonic_ms()
        tracked = self._published_ms
        while tracked:
            oldest, published_ms = next(iter(tracked.items()))
            is_over = now_ms - published_ms >= limits.TYPING_AGAIN_MS
            if not is_over and len(tracked) < limits.TYPISTS_MAX:
                break
            del tracked[oldest]
        if (typist, conversation_sid) in tracked:
            return False
        tracked[typist, conversation_sid] = now_ms
        return True
