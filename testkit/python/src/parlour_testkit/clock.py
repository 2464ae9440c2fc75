"""The server's clock. It moves only when a test asks for it, and all accounts share it."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from parlour_testkit.connection import FUNCTIONS
from parlour_testkit.errors import NotSettled
from parlour_testkit.values import format_date, format_duration, parse_date

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from parlour_testkit.connection import Connection
    from parlour_testkit.values import FormValue

SETTLE_TIMEOUT_S = 10.0
_NETWORK_S = 15.0
"""Real seconds for the response itself, after the server's own timeout."""


@dataclass(frozen=True)
class Advance:
    """The result of a move of the clock.

    Attributes:
        now: the time after it.
        steps: how many due times were passed.
        fired: what happened: ``{"at": ..., "what": "timers", "count": 1}``.
        elapsed_ms: real milliseconds.
    """

    now: datetime
    steps: int
    fired: tuple[Mapping[str, Any], ...]
    elapsed_ms: int


class Clock:
    """The clock of a server.

    Every method needs the auth token of an account; ApiError has status 403 for an API key.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.was_moved = False

    def now(self) -> datetime:
        """Return the server's time, in UTC."""
        return parse_date(self.fetch()["now"])

    def fetch(self) -> dict[str, Any]:
        """Return the clock as the server describes it: mode, now, next_due and others."""
        found: dict[str, Any] = self._connection.get(f"{FUNCTIONS}/Clock")
        return found

    def freeze(self, at: datetime | str | None = None) -> datetime:
        """Stop the clock, at a date or where it is; return the time.

        Dates of the past are possible only while no account has conversations, messages or users
        (ApiError, status 400). Raises ValueError for a date without a time zone.
        """
        return self._set("frozen", at)

    def shift(self, to: datetime | str) -> datetime:
        """Let the clock run on from a date; return the time. Limits as of `freeze`."""
        return self._set("shifted", to)

    def system(self) -> datetime:
        """Return to system time. Limits as of `freeze`."""
        now = self._set("system", None)
        self.was_moved = False
        return now

    def advance(
        self,
        by: str | timedelta | None = None,
        *,
        seconds: float | None = None,
        timeout: float = SETTLE_TIMEOUT_S,
    ) -> Advance:
        """Move the clock forward, from due time to due time; a running clock is stopped first.

        Args:
            by: an ISO 8601 duration (``"PT10M"``, ``"P1D"``), or a timedelta.
            seconds: the duration in seconds, instead of ``by``.
            timeout: real seconds, 1 to 60, until everything that happens must be done.

        Raises NotSettled with what the server waits for (a second call continues), and ApiError:
        400 for more than 10 years in all, 409 while another advance runs.
        """
        if (by is None) == (seconds is None):
            raise ValueError('pass a duration: advance("PT10M"), or advance(seconds=600)')
        duration = by if by is not None else timedelta(seconds=seconds or 0)
        return self._advance(timeout, by=format_duration(duration))

    def travel_to(self, moment: datetime | str, *, timeout: float = SETTLE_TIMEOUT_S) -> Advance:
        """Move the clock to a date. Later dates: as `advance`; earlier ones: limits of `freeze`."""
        text = format_date(moment)
        if parse_date(text) < self.now():
            return Advance(self.freeze(text), steps=0, fired=(), elapsed_ms=0)
        return self._advance(timeout, to=text)

    async def advance_async(
        self,
        by: str | timedelta | None = None,
        *,
        seconds: float | None = None,
        timeout: float = SETTLE_TIMEOUT_S,  # noqa: ASYNC109 - the server's timeout.
    ) -> Advance:
        """As `advance`, while the event loop of the test runs on."""
        return await asyncio.to_thread(self.advance, by, seconds=seconds, timeout=timeout)

    async def travel_to_async(
        self,
        moment: datetime | str,
        *,
        timeout: float = SETTLE_TIMEOUT_S,  # noqa: ASYNC109 - the server's timeout.
    ) -> Advance:
        """As `travel_to`, while the event loop of the test runs on."""
        return await asyncio.to_thread(self.travel_to, moment, timeout=timeout)

    def _set(self, mode: str, at: datetime | str | None) -> datetime:
        now = format_date(at) if at is not None else None
        self.was_moved = True
        found = self._connection.post(f"{FUNCTIONS}/Clock", mode=mode, now=now)
        return parse_date(found["now"])

    def _advance(self, timeout: float, **target: FormValue) -> Advance:
        self.was_moved = True
        found = settled(
            self._connection, f"{FUNCTIONS}/Clock/Advance", timeout, {**target, "wait": True}
        )
        return Advance(
            now=parse_date(found["now"]),
            steps=found["steps"],
            fired=tuple(found["fired"]),
            elapsed_ms=found["elapsed_ms"],
        )


def settled(
    connection: Connection, path: str, timeout_s: float, parameters: Mapping[str, FormValue]
) -> dict[str, Any]:
    """Return the result of an operation that settles the server. Raises NotSettled, ApiError."""
    reply = connection.request(
        "POST",
        path,
        {**parameters, "timeout": math.ceil(timeout_s)},
        timeout_s=timeout_s + _NETWORK_S,
    )
    found: dict[str, Any] = reply.json
    if not found["settled"]:
        what = f"{path.removeprefix(FUNCTIONS)[1:]} at {found['now']}" if "now" in found else path
        raise NotSettled(what, found["waiting_for"], timeout_s)
    return found
