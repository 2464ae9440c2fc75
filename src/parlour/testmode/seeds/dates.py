"""Dates of seeds: absolute, or before the clock."""

from __future__ import annotations

from typing import Final

from parlour.protocol.durations import parse_duration
from parlour.protocol.timestamps import timestamp

_BEFORE: Final = "-P"
_timestamp = timestamp()


def is_relative(text: str) -> bool:
    """Return whether a date is a duration before the clock: ``-PT2H``."""
    return text.startswith(_BEFORE)


def check_duration(text: str) -> None:
    """Raise ValueError unless the relative date is valid."""
    parse_duration(text[1:])


def resolve_date(text: str, now_ms: int) -> int:
    """Return a checked date in milliseconds, in whole seconds as the API stores given dates."""
    if is_relative(text):
        return (now_ms // 1000 - parse_duration(text[1:])) * 1000
    return _timestamp("", text)
