"""Parsers of conversation timers, shared with the account's defaults for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.protocol.durations import parse_duration
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.protocol.parsers import Parser


def timer_seconds(minimum: int, code_format: int, code_minimum: int) -> Parser[int]:
    """Return a parser of seconds, 0 for off. An empty text is a format error."""

    def parse(_name: str, text: str) -> int:
        try:
            seconds = parse_duration(text)
        except ValueError:
            raise ApiError(code_format) from None
        if 0 < seconds < minimum:
            raise ApiError(code_minimum)
        return seconds

    return parse


inactive_timer = timer_seconds(limits.TIMER_INACTIVE_SECONDS_MIN, 50379, 50375)
closed_timer = timer_seconds(limits.TIMER_CLOSED_SECONDS_MIN, 50380, 50376)
