"""ISO 8601 durations of fixed length, as used for the timers of conversations."""

from __future__ import annotations

import re

from parlour.vocabulary import limits

_NUMBER = rf"([0-9]{{1,{limits.DURATION_DIGITS_MAX}}})"
# Every part is optional, but P and T each need one after them.
_DURATION = re.compile(
    rf"P(?=.)(?:{_NUMBER}W|(?:{_NUMBER}D)?"
    rf"(?:T(?=.)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?)\Z"
)
_SECONDS = (7 * 24 * 60 * 60, 24 * 60 * 60, 60 * 60, 60, 1)


def parse_duration(text: str) -> int:
    """Return the seconds of a duration in weeks, or in days, hours, minutes and seconds.

    Raises ValueError for any other text, for years, months and fractions, whose length
    is not a fixed number of seconds, and for more than TIMER_SECONDS_MAX.
    """
    found = _DURATION.match(text)
    if found is None:
        reason = "not a duration of whole weeks, days, hours, minutes or seconds"
        raise ValueError(reason)
    numbers = (int(number or 0) for number in found.groups())
    seconds = sum(number * unit for number, unit in zip(numbers, _SECONDS, strict=True))
    if seconds > limits.TIMER_SECONDS_MAX:
        reason = f"longer than {limits.TIMER_SECONDS_MAX} seconds"
        raise ValueError(reason)
    return seconds
