"""By which clock an access token was made.

A program under test makes tokens by the real time, while the server's clock may be days ahead: all
of them would have expired.

| token                                                  | its dates are of                     |
|--------------------------------------------------------|--------------------------------------|
| made by the server: it has the claim for that          | the server's clock                   |
| made between the start and a minute from now, real time| real time: it counts as made at the  |
|                                                        | date that the clock showed then, and |
|                                                        | lives for its whole time from there  |
| any other: a program with a frozen clock               | the server's clock                   |

Tokens have whole seconds. In a second in which the clock was changed a token may be of before or
after: a token is of before if it was verified before, else of after.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from parlour.protocol.access_tokens import SERVER_CLOCK
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.protocol.access_tokens import UnverifiedToken
    from parlour.testmode.clock.steered_clock import SteeredClock

AUTO: Final = "auto"
VIRTUAL: Final = "virtual"
SYSTEM: Final = "system"
_AHEAD_MS_MAX: Final = limits.ACCESS_TOKEN_LEEWAY_SECONDS * 1000
_SECOND_MS: Final = 1000
_DATE_DIGITS_MAX: Final = 12


class SteeredTokenDates:
    """Finds out by which clock tokens were made; implements `TokenDates` of the verification."""

    def __init__(self, clock: SteeredClock, token_clock_of: Callable[[str], str]) -> None:
        """``token_clock_of`` returns AUTO, VIRTUAL or SYSTEM for the SID of an account."""
        self._clock = clock
        self._token_clock_of = token_clock_of
        # By the signature of a token: the shift at its first verification.
        self._shifts: OrderedDict[bytes, int] = OrderedDict()
        self._restarts = 0

    def shift_ms(self, claimed: UnverifiedToken) -> int:
        """Return how far the server's clock was ahead of the token's when that was made."""
        rule = self._token_clock_of(claimed.account_sid)
        if rule == VIRTUAL:
            return 0
        if rule == SYSTEM:
            return self._clock.offset_ms
        if claimed.claims.get(SERVER_CLOCK) is True:
            return 0
        if self._restarts != self._clock.history.restarts:
            self._restarts = self._clock.history.restarts
            self._shifts.clear()
        known = self._shifts.get(claimed.signature)
        if known is not None:
            return known
        shift_ms = self._shift_of(_made_ms(claimed))
        self._shifts[claimed.signature] = shift_ms
        if len(self._shifts) > limits.TOKENS_DATED_MAX:
            self._shifts.popitem(last=False)
        return shift_ms

    def _shift_of(self, made_ms: int | None) -> int:
        history, now_ms = self._clock.history, self._clock.real.now_ms()
        first_ms = history.start_ms // _SECOND_MS * _SECOND_MS
        if made_ms is None or not first_ms <= made_ms <= now_ms + _AHEAD_MS_MAX:
            return 0
        # The end of its second, but not the future.
        at_ms = max(made_ms, min(made_ms + _SECOND_MS - 1, now_ms))
        change = history.change_before(at_ms)
        if change.is_frozen:
            return change.shown_ms - made_ms
        return change.shown_ms - change.real_ms


def _made_ms(claimed: UnverifiedToken) -> int | None:
    """Return when a token was made: ``iat``, else ``nbf``, else the time in ``jti``."""
    for name in ("iat", "nbf"):
        seconds = claimed.claims.get(name)
        if isinstance(seconds, int | float) and 0 <= seconds < 1 << 40:
            return int(seconds * _SECOND_MS)
    # As both helper libraries write it: the SID of the key, and seconds.
    _, _, seconds = str(claimed.claims.get("jti", "")).rpartition("-")
    is_date = seconds.isascii() and seconds.isdecimal() and len(seconds) <= _DATE_DIGITS_MAX
    return int(seconds) * _SECOND_MS if is_date else None
