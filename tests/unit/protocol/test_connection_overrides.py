"""Connection overrides: the fragment of a URL, and its valid settings."""

from __future__ import annotations

import pytest

from parlour.protocol import retries
from parlour.protocol.connection_overrides import ConnectionOverrides, parse
from parlour.protocol.retries import AttemptOutcome
from parlour.vocabulary import limits

ALONE = ConnectionOverrides(5000, None, frozenset({"ct"}))


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("", ALONE),
        ("rc=2", ConnectionOverrides(5000, 2, frozenset({"ct"}))),
        ("rc=0", ConnectionOverrides(5000, 0, frozenset({"ct"}))),
        ("rc=5&rp=all", ConnectionOverrides(5000, 5, frozenset({"all"}))),
        (
            "rp=4xx,5xx,ct,rt",
            ConnectionOverrides(5000, None, frozenset({"4xx", "5xx", "ct", "rt"})),
        ),
        ("tt=100", ConnectionOverrides(100, None, frozenset({"ct"}))),
        ("tt=15000&ct=100&rt=100", ConnectionOverrides(15000, None, frozenset({"ct"}))),
        ("ct=200&rt=300", ConnectionOverrides(500, None, frozenset({"ct"}))),
        ("ct=200", ConnectionOverrides(5200, None, frozenset({"ct"}))),
        ("rt=300", ConnectionOverrides(5300, None, frozenset({"ct"}))),
        ("ct=10000&rt=15000", ConnectionOverrides(15000, None, frozenset({"ct"}))),
        # Out of range, no number, unknown: as if it were not there.
        ("rc=6&tt=99", ALONE),
        ("rc=-1&tt=15001", ALONE),
        ("rc=two&rp=sometimes&ct=10001", ALONE),
        ("rc=²", ALONE),
        ("rc=000002", ALONE),
        ("rc=&rp=", ALONE),
        ("sni=n&e=dublin,tokyo", ALONE),
        ("section-2", ALONE),
        ("&&==&", ALONE),
    ],
)
def test_a_fragment_is_parsed(fragment: str, expected: ConnectionOverrides) -> None:
    assert parse(fragment) == expected


def test_a_long_fragment_is_cut() -> None:
    assert parse("a" * limits.URL_CHARS_MAX + "&rc=2") == ALONE


STATUS = {code: AttemptOutcome(status=code) for code in (404, 429, 500, 503)}
FAILED = {
    kind: AttemptOutcome(failure=kind, failure_code=1)
    for kind in ("connect", "dns", "tls", "timeout", "protocol")
}


@pytest.mark.parametrize(
    ("policies", "retried"),
    [
        ("ct", {"connect", "dns", "tls"}),
        ("rt", {"timeout"}),
        ("4xx", {404, 429}),
        ("5xx", {500, 503}),
        ("all", {"connect", "dns", "tls", "timeout", 404, 429, 500, 503}),
    ],
)
def test_each_policy_has_its_retried_outcomes(policies: str, retried: set[object]) -> None:
    schedule = parse(f"rc=2&rp={policies}").schedule()
    assert (len(schedule.delays_ms), schedule.jitter_percent) == (2, 0)
    found = {
        name
        for name, outcome in {**STATUS, **FAILED}.items()
        if retries.decide(outcome, 0, schedule, NoChance(), 0).verdict is retries.Verdict.RETRY
    }
    assert found == retried
    for outcome in (*STATUS.values(), *FAILED.values()):
        verdict = retries.decide(outcome, 2, schedule, NoChance(), 0).verdict
        assert verdict is retries.Verdict.FAILED


def test_without_a_count_nothing_is_retried() -> None:
    assert parse("rp=all").schedule().delays_ms == ()


class NoChance:
    """Randomness of which nothing may be drawn: nothing is left to it."""

    def fraction(self) -> float:
        return 0.0

    def sid(self, prefix: str) -> str:
        raise AssertionError(prefix)

    def token(self, size_bytes: int) -> bytes:
        raise AssertionError(size_bytes)
