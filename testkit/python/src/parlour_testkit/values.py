"""Conversion of Python values into the server's parameters, and of its dates into Python's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

FormValue: TypeAlias = (
    str | int | float | bool | datetime | timedelta | Mapping[str, object] | Iterable[str] | None
)
"""None leaves a parameter out; a mapping is sent as JSON; an iterable repeats the parameter."""


def pairs_of(parameters: Mapping[str, FormValue]) -> list[tuple[str, str]]:
    """Return the pairs of a form; ``retry_after`` is sent as ``RetryAfter``."""
    return [
        (parameter_name(name), text)
        for name, value in parameters.items()
        for text in _texts_of(value)
    ]


def parameter_name(name: str) -> str:
    """Return the API's name of a parameter: ``event_type`` and ``EventType`` are ``EventType``."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _texts_of(value: FormValue) -> list[str]:
    if value is None:
        return []
    if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
        return [str(each) for each in value]
    return [_text_of(value)]


def _text_of(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return format_date(value)
        case timedelta():
            return format_duration(value)
        case Mapping():
            return json.dumps(value)
        case _:
            return str(value)


def format_date(moment: datetime | str) -> str:
    """Return a date in UTC with milliseconds: ``2026-01-05T09:00:00.000Z``.

    Raises ValueError for a date without a time zone, and for a text that is not an ISO 8601 date.
    """
    try:
        parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        raise ValueError(f"{moment!r} is no ISO 8601 date: write 2026-01-05T09:00Z") from None
    if parsed.tzinfo is None:
        raise ValueError(
            f"{moment!r} has no time zone: write 2026-01-05T09:00Z, or datetime(..., tzinfo=UTC)"
        )
    return parsed.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_date(text: str) -> datetime:
    """Return a date of the server, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def format_duration(duration: timedelta | str | float) -> str:
    """Return a duration in the ISO 8601 form: ``PT600S``. A number counts seconds.

    Raises ValueError for a negative one.
    """
    if isinstance(duration, str):
        return duration
    if not isinstance(duration, timedelta):
        duration = timedelta(seconds=duration)
    if duration < timedelta(0):
        raise ValueError(f"{duration} is negative")
    milliseconds = duration // timedelta(milliseconds=1)
    seconds, rest = divmod(milliseconds, 1000)
    return f"PT{seconds}.{rest:03}S" if rest else f"PT{seconds}S"
