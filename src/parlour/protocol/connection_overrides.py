"""Connection overrides: the fragment of a webhook's URL, if enabled.

``#ct=2000&tt=4000&rc=2&rp=5xx,rt``: times in milliseconds, the number of retries, and the
retried failures. Values out of range and other keys (``sni``, ``e``) are ignored.
See docs/reference/quirks.md#connection-overrides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from parlour.protocol.retries import Schedule
from parlour.vocabulary import limits

# The hosted API retries at once; without a delay, retries would hit a server that is down.
_DELAY_MS: Final = 1000
_CONNECT: Final = frozenset({"connect", "dns", "tls"})
_TIMES: Final = {
    "ct": limits.OVERRIDE_CONNECT_MS_MAX,
    "rt": limits.OVERRIDE_TOTAL_MS_MAX,
    "tt": limits.OVERRIDE_TOTAL_MS_MAX,
}
_POLICIES: Final = frozenset({"4xx", "5xx", "ct", "rt", "all"})


@dataclass(frozen=True, slots=True)
class ConnectionOverrides:
    """The overrides of a fragment."""

    total_ms: int
    retry_count: int | None
    policies: frozenset[str]

    def schedule(self) -> Schedule:
        """Return the retry schedule: a second apart, after the failures of the policies."""
        wants_all = "all" in self.policies
        statuses: set[int] = set()
        if wants_all or "4xx" in self.policies:
            statuses.update(range(400, 500))
        if wants_all or "5xx" in self.policies:
            statuses.update(range(500, 600))
        failures = set(_CONNECT) if wants_all or "ct" in self.policies else set()
        if wants_all or "rt" in self.policies:
            failures.add("timeout")
        return Schedule(
            delays_ms=(_DELAY_MS,) * (self.retry_count or 0),
            jitter_percent=0,
            honours_retry_after=False,
            statuses=frozenset(statuses),
            failures=frozenset(failures),
        )


def parse(fragment: str) -> ConnectionOverrides:
    """Parse a URL's fragment; unknown keys and invalid values are ignored."""
    given = dict(parse_qsl(fragment[: limits.URL_CHARS_MAX], keep_blank_values=True))
    times = {key: _number(given.get(key), 100, most) for key, most in _TIMES.items()}
    total_ms = limits.WEBHOOK_SECONDS_MAX * 1000
    if times["tt"] is not None:
        total_ms = times["tt"]
    elif times["ct"] is not None or times["rt"] is not None:
        total_ms = min(
            (times["ct"] or total_ms) + (times["rt"] or total_ms), limits.OVERRIDE_TOTAL_MS_MAX
        )
    named = frozenset(given.get("rp", "ct").split(",")) & _POLICIES
    retry_count = _number(given.get("rc"), 0, limits.OVERRIDE_RETRIES_MAX)
    return ConnectionOverrides(total_ms, retry_count, named or frozenset({"ct"}))


def _number(text: str | None, least: int, most: int) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 5:
        return None
    value = int(text)
    return value if least <= value <= most else None
