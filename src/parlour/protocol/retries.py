"""Retry schedules of webhooks: whether and when an attempt follows a failed one.

There are two schedules, and each account uses one of them.

- `DURABLE`, the default. The first attempt is made at once, as by the hosted API. Retries
  follow after seconds, then minutes, then every three hours, until more than 24 hours have
  passed. Any status but 2xx is a failure, because a status does not distinguish a receiver
  that is being deployed (404, 401, 502) from one that will never accept the event. Only 410
  is final, and stops the retries.
- `hosted_schedule(n)`, as the hosted API: no retries unless a retry count is set, and then
  only after a timeout, 429, 503 or 504.

A delay is never shortened: jitter and `Retry-After` only add to it. So an endpoint that is
down for 24 hours gets its events, and one that always responds with `Retry-After: 1` does
not use up all attempts in a minute.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.vocabulary.clock import Random

CODE_PRE_ACTION_REFUSED: Final = 50056
CODE_POST_ACTION_FAILED: Final = 50057
CODE_TIMEOUT: Final = 50076
CODE_REDIRECT: Final = 11216

_SECOND: Final = 1000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE

TIMEOUT: Final = "timeout"
# The server's own outbound limit was reached; not the receiver's fault.
BUSY: Final = "busy"


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """The result of one attempt: a status, or the kind and log code of a failure."""

    status: int | None = None
    retry_after: str | None = None
    failure: str | None = None
    failure_code: int | None = None
    # A permanent failure, such as an invalid URL.
    is_final: bool = False

    def __post_init__(self) -> None:
        assert (self.status is None) != (self.failure is None)

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver accepted the event."""
        return self.status is not None and 200 <= self.status <= 299


class Verdict(enum.Enum):
    """The consequence of an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    # The receiver rejects it for good (410).
    STOPPED = "stopped"
    # No attempt is left, or a retry cannot succeed.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict; for a retry, the delay from now and the number the next attempt carries."""

    verdict: Verdict
    delay_ms: int = 0
    retry_count: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """The delays after failed attempts, and the failures that are retried."""

    delays_ms: tuple[int, ...]
    jitter_percent: int
    honours_retry_after: bool
    # None: every failure is retried; otherwise these statuses and failures.
    statuses: frozenset[int] | None
    failures: frozenset[str] = frozenset({TIMEOUT})

    @property
    def lasts_ms_min(self) -> int:
        """The time from the first to the last attempt, if each one fails at once."""
        return sum(self.delays_ms)

    @property
    def lasts_ms_max(self) -> int:
        """The same with all jitter and the longest `Retry-After` that is accepted."""
        longest = limits.RETRY_AFTER_MS_MAX if self.honours_retry_after else 0
        waits = (max(delay, longest) for delay in self.delays_ms)
        return sum(wait + wait * self.jitter_percent // 100 for wait in waits)


DURABLE: Final = Schedule(
    delays_ms=(
        1 * _SECOND,
        2 * _SECOND,
        4 * _SECOND,
        15 * _SECOND,
        1 * _MINUTE,
        5 * _MINUTE,
        15 * _MINUTE,
        30 * _MINUTE,
        1 * _HOUR,
        2 * _HOUR,
        *[3 * _HOUR] * 7,
    ),
    jitter_percent=limits.RETRY_JITTER_PERCENT,
    honours_retry_after=True,
    statuses=None,
)
_HOSTED_DELAYS_MS: Final = (1 * _SECOND, 2 * _SECOND, 4 * _SECOND)
assert len(_HOSTED_DELAYS_MS) == limits.WEBHOOK_RETRIES_MAX

_LONGEST_MS: Final = max(*DURABLE.delays_ms, *_HOSTED_DELAYS_MS, limits.RETRY_AFTER_MS_MAX)
STEP_MS_MAX: Final = _LONGEST_MS + _LONGEST_MS * limits.RETRY_JITTER_PERCENT // 100
"""The longest delay between two attempts, in any schedule."""


def hosted_schedule(retry_count: int = 0) -> Schedule:
    """Return the schedule of the hosted API with this retry count."""
    assert 0 <= retry_count <= limits.WEBHOOK_RETRIES_MAX
    return Schedule(
        delays_ms=_HOSTED_DELAYS_MS[:retry_count],
        jitter_percent=0,
        honours_retry_after=False,
        statuses=frozenset({429, 503, 504}),
    )


def decide(
    outcome: AttemptOutcome, retry_count: int, schedule: Schedule, random: Random, now_ms: int
) -> Decision:
    """Return the decision after an attempt with this retry count (0 for the first one)."""
    assert retry_count >= 0
    if outcome.is_delivered:
        return Decision(Verdict.DELIVERED)
    if outcome.failure == BUSY:
        # No request was sent, so the retry count does not increase.
        delay_ms = _with_jitter(1 * _SECOND, limits.RETRY_JITTER_PERCENT, random)
        return Decision(Verdict.RETRY, delay_ms, retry_count)
    if outcome.status == 410:
        return Decision(Verdict.STOPPED)
    if retry_count >= len(schedule.delays_ms) or not _is_retryable(outcome, schedule):
        return Decision(Verdict.FAILED)
    delay_ms = schedule.delays_ms[retry_count]
    if schedule.honours_retry_after and outcome.retry_after is not None:
        asked_ms = parse_retry_after(outcome.retry_after, now_ms)
        delay_ms = max(delay_ms, min(asked_ms or 0, limits.RETRY_AFTER_MS_MAX))
    delay_ms = _with_jitter(delay_ms, schedule.jitter_percent, random)
    return Decision(Verdict.RETRY, delay_ms, retry_count + 1)


def _is_retryable(outcome: AttemptOutcome, schedule: Schedule) -> bool:
    if outcome.is_final:
        return False
    if schedule.statuses is None:
        return True
    return outcome.failure in schedule.failures or outcome.status in schedule.statuses


def _with_jitter(delay_ms: int, percent: int, random: Random) -> int:
    return delay_ms + int(delay_ms * percent / 100 * random.fraction())


def log_code(outcome: AttemptOutcome, *, is_pre_action: bool = False) -> int | None:
    """Return the log code of a failed attempt; None for a delivered one.

    See docs/reference/quirks.md#webhook-log-codes.
    """
    if outcome.failure is not None:
        return CODE_TIMEOUT if outcome.failure == TIMEOUT else outcome.failure_code
    assert outcome.status is not None
    if outcome.is_delivered:
        return None
    if 300 <= outcome.status <= 399:
        # Redirects are not followed: docs/explanation/egress.md.
        return CODE_REDIRECT
    return CODE_PRE_ACTION_REFUSED if is_pre_action else CODE_POST_ACTION_FAILED


# --- Retry-After ------------------------------------------------------------------------

_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_TIME: Final = r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})"
_DATES: Final = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"\w{{3}}, (?P<day>\d{{2}}) (?P<month>\w{{3}}) (?P<year>\d{{4}}) {_TIME} GMT",
        rf"\w{{6,9}}, (?P<day>\d{{2}})-(?P<month>\w{{3}})-(?P<year>\d{{2}}) {_TIME} GMT",
        rf"\w{{3}} (?P<month>\w{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)
_SECONDS: Final = re.compile(r"[0-9]{1,18}")


def parse_retry_after(text: str, now_ms: int) -> int | None:
    """Return the delay of a `Retry-After` header in milliseconds; None if it is malformed.

    Seconds, or a date in one of the three forms of HTTP; a date in the past is 0.
    """
    text = text.strip(" \t")
    if _SECONDS.fullmatch(text):
        return int(text) * _SECOND
    for form in _DATES:
        match = form.fullmatch(text)
        if match is not None:
            at_ms = _read_date(match, now_ms)
            return None if at_ms is None else max(0, at_ms - now_ms)
    return None


def _read_date(match: re.Match[str], now_ms: int) -> int | None:
    year = int(match["year"])
    if len(match["year"]) == 2:
        # Two digits mean the year nearest to now that is at most 50 years ahead.
        this_year = datetime.fromtimestamp(now_ms / 1000, UTC).year
        year += this_year - this_year % 100
        year -= 100 if year > this_year + 50 else 0
    month, is_inside_name = divmod(_MONTHS.find(match["month"]), 4)
    if is_inside_name:
        return None
    try:
        date = datetime(
            year,
            month + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"]),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return int(date.timestamp()) * 1000
