"""Timestamps: the parser of ISO 8601 parameters, and the two formats of responses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from parlour.protocol.parsers import UNSPECIFIC, Parser, invalid_value, with_schema
from parlour.vocabulary import limits

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_AS_CLIENTS_SEND = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|\+00:00)\Z"
)
# A `+` that was sent without percent-encoding arrives as a space.
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,][0-9]{1,30})?"
    r"(?:Z|([-+ ])([0-9]{2}):?([0-9]{2})))?\Z"
)
_HOURS = 24
_MINUTES = 60


def timestamp(code: int = UNSPECIFIC) -> Parser[int]:
    """Make the parser of ISO 8601 dates: milliseconds since 1970 UTC, in whole seconds.

    Fractions are truncated, offsets are converted, a date alone is its midnight in UTC, and a
    time must have an offset. Years are 1 to 9999, after the conversion too.
    """

    def parse(name: str, value: str) -> int:
        if _AS_CLIENTS_SEND.match(value):
            try:
                return int(datetime.fromisoformat(value).timestamp()) * 1000
            except ValueError:
                raise invalid_value(code, name) from None
        found = _TIMESTAMP.match(value)
        moment = None if found is None else _moment(found)
        if moment is None:
            raise invalid_value(code, name)
        return (moment - _EPOCH) // _SECOND * 1000

    return with_schema(parse, {"type": "string", "format": "date-time"})


def _moment(found: re.Match[str]) -> datetime | None:
    sign, hours, minutes = found[7], int(found[8] or 0), int(found[9] or 0)
    if hours >= _HOURS or minutes >= _MINUTES:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):
        return None


def format_date(ms: int) -> str:
    """Return milliseconds since 1970 in the format of responses: YYYY-MM-DDTHH:MM:SSZ."""
    return _format_seconds(ms // 1000)


# Cached: pages repeat the same few dates.
@lru_cache(maxsize=limits.WRITTEN_DATES_MAX)
def _format_seconds(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19] + "Z"


def format_date_ms(ms: int) -> str:
    """Return milliseconds since 1970 with their fraction: YYYY-MM-DDTHH:MM:SS.mmmZ."""
    return f"{format_date(ms)[:19]}.{ms % 1000:03}Z"
