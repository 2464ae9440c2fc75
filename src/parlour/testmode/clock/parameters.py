"""Parameters of the clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from parlour.operations.parameters import Parameters, form_field
from parlour.protocol import parsers
from parlour.protocol.durations import parse_duration
from parlour.protocol.parsers import Parser, with_schema
from parlour.testmode.clock.steered_clock import ClockMode
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    from parlour.vocabulary.unset import Unset

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FRACTION: Final = re.compile(r"(.*[0-9])\.([0-9]{1,3})S")
_DATE_CHARS: Final = len("2026-01-05")


def exact_date() -> Parser[int]:
    """Make the parser of ISO 8601 dates with milliseconds; a time must have an offset."""

    def parse(name: str, value: str) -> int:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise ApiError(20001, f"Invalid {name}: not an ISO 8601 date.") from None
        if len(value) == _DATE_CHARS:
            found = found.replace(tzinfo=UTC)
        if found.tzinfo is None:
            raise ApiError(20001, f"Invalid {name}: the date has no offset, such as Z.")
        return (found - _EPOCH) // _MILLISECOND

    return with_schema(parse, {"type": "string", "format": "date-time"})


def exact_duration() -> Parser[int]:
    """Make the parser of ISO 8601 durations: milliseconds; the seconds may have a fraction."""

    def parse(name: str, value: str) -> int:
        found = _FRACTION.fullmatch(value)
        whole, thousandths = (f"{found[1]}S", found[2].ljust(3, "0")) if found else (value, "0")
        try:
            return parse_duration(whole) * 1000 + int(thousandths)
        except ValueError as error:
            reason = f"Invalid {name}: {error}, such as PT10M or P1D."
            raise ApiError(20001, reason) from None

    return with_schema(parse, {"type": "string", "format": "duration"})


class UpdateClock(Parameters):
    """How the clock relates to the real time; ``Now`` is the present date by default."""

    mode: str | Unset = form_field("Mode", parsers.enum(*ClockMode), required=True)
    now_ms: int | Unset = form_field("Now", exact_date())


class CreateClockAdvance(Parameters):
    """Until when the clock advances: ``By`` or ``To``; and how long that may take."""

    by_ms: int | Unset = form_field("By", exact_duration())
    to_ms: int | Unset = form_field("To", exact_date())
    timeout_seconds: int | Unset = form_field(
        "Timeout", parsers.integer(minimum=1, maximum=limits.SETTLE_SECONDS_MAX)
    )
    waits: bool | Unset = form_field("Wait", parsers.boolean())
    client_grace_ms: int | Unset = form_field(
        "ClientGraceMs", parsers.integer(minimum=0, maximum=limits.CLIENT_GRACE_MS_MAX)
    )
