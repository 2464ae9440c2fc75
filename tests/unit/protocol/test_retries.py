"""The decision after an attempt: the decision table, the schedule as a whole, Retry-After."""

from __future__ import annotations

import random as seeded
import time

import pytest

from parlour.protocol.retries import (
    DURABLE,
    AttemptOutcome,
    Decision,
    Schedule,
    Verdict,
    decide,
    hosted_schedule,
    log_code,
    parse_retry_after,
)
from parlour.vocabulary import limits

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
# Tue, 20 Jan 2026 12:00:00 GMT.
NOW_MS = 1_768_910_400_000
LAST = len(DURABLE.delays_ms)

HOSTED_0, HOSTED_1, HOSTED_3 = (hosted_schedule(count) for count in (0, 1, 3))

DELIVERED = Decision(Verdict.DELIVERED)
FAILED = Decision(Verdict.FAILED)
STOPPED = Decision(Verdict.STOPPED)


class Draw:
    """A random source of fractions: a constant, or seeded."""

    def __init__(self, value: float = 0.0, seed: int | None = None) -> None:
        self.value = value
        self.source = None if seed is None else seeded.Random(seed)

    def fraction(self) -> float:
        return self.value if self.source is None else self.source.random()

    def sid(self, prefix: str) -> str:
        raise AssertionError(prefix)

    def token(self, size_bytes: int) -> bytes:
        raise AssertionError(size_bytes)


def answer(status: int, retry_after: str | None = None) -> AttemptOutcome:
    return AttemptOutcome(status=status, retry_after=retry_after)


def failure(kind: str, code: int, *, is_final: bool = False) -> AttemptOutcome:
    return AttemptOutcome(failure=kind, failure_code=code, is_final=is_final)


def again(delay_ms: int, retry_count: int) -> Decision:
    return Decision(Verdict.RETRY, delay_ms, retry_count)


TIMEOUT = failure("timeout", 50076)
REFUSED_PORT = failure("connect", 11205)
NO_NAME = failure("dns", 11210)
BAD_CERTIFICATE = failure("tls", 11237)
NOT_HTTP = failure("protocol", 11206)
NOT_ALLOWED = failure("refused", 11205)
NO_URL = failure("refused", 11200, is_final=True)
BUSY = failure("busy", 11205)

FIRST_STEP = again(1 * SECOND, 1)

TABLE: list[tuple[str, AttemptOutcome, int, Schedule, Decision]] = [
    # Delivered, under either schedule and at any attempt.
    ("200", answer(200), 0, DURABLE, DELIVERED),
    ("201", answer(201), 0, DURABLE, DELIVERED),
    ("202", answer(202), 3, DURABLE, DELIVERED),
    ("204", answer(204), 0, HOSTED_0, DELIVERED),
    ("299", answer(299), LAST, DURABLE, DELIVERED),
    ("200 and Retry-After", answer(200, "60"), 0, DURABLE, DELIVERED),
    # The durable schedule: every response is retried except 410.
    ("300", answer(300), 0, DURABLE, FIRST_STEP),
    ("301", answer(301), 0, DURABLE, FIRST_STEP),
    ("302", answer(302), 0, DURABLE, FIRST_STEP),
    ("304", answer(304), 0, DURABLE, FIRST_STEP),
    ("307", answer(307), 0, DURABLE, FIRST_STEP),
    ("308", answer(308), 0, DURABLE, FIRST_STEP),
    ("400", answer(400), 0, DURABLE, FIRST_STEP),
    ("401", answer(401), 0, DURABLE, FIRST_STEP),
    ("403", answer(403), 0, DURABLE, FIRST_STEP),
    ("404", answer(404), 0, DURABLE, FIRST_STEP),
    ("408", answer(408), 0, DURABLE, FIRST_STEP),
    ("410", answer(410), 0, DURABLE, STOPPED),
    ("410 later", answer(410), 5, DURABLE, STOPPED),
    ("410 and Retry-After", answer(410, "60"), 0, DURABLE, STOPPED),
    ("422", answer(422), 0, DURABLE, FIRST_STEP),
    ("429", answer(429), 0, DURABLE, FIRST_STEP),
    ("500", answer(500), 0, DURABLE, FIRST_STEP),
    ("502", answer(502), 0, DURABLE, FIRST_STEP),
    ("503", answer(503), 0, DURABLE, FIRST_STEP),
    ("504", answer(504), 0, DURABLE, FIRST_STEP),
    ("599", answer(599), 0, DURABLE, FIRST_STEP),
    ("timeout", TIMEOUT, 0, DURABLE, FIRST_STEP),
    ("connection refused", REFUSED_PORT, 0, DURABLE, FIRST_STEP),
    ("no such name", NO_NAME, 0, DURABLE, FIRST_STEP),
    ("bad certificate", BAD_CERTIFICATE, 0, DURABLE, FIRST_STEP),
    ("not HTTP", NOT_HTTP, 0, DURABLE, FIRST_STEP),
    ("address not allowed", NOT_ALLOWED, 0, DURABLE, FIRST_STEP),
    ("URL that is none", NO_URL, 0, DURABLE, FAILED),
    ("URL that is none, later", NO_URL, 4, DURABLE, FAILED),
    # Its steps.
    ("second", answer(500), 1, DURABLE, again(2 * SECOND, 2)),
    ("third", answer(500), 2, DURABLE, again(4 * SECOND, 3)),
    ("fourth", answer(500), 3, DURABLE, again(15 * SECOND, 4)),
    ("fifth", answer(500), 4, DURABLE, again(1 * MINUTE, 5)),
    ("sixth", answer(500), 5, DURABLE, again(5 * MINUTE, 6)),
    ("seventh", answer(500), 6, DURABLE, again(15 * MINUTE, 7)),
    ("eighth", answer(500), 7, DURABLE, again(30 * MINUTE, 8)),
    ("ninth", answer(500), 8, DURABLE, again(1 * HOUR, 9)),
    ("tenth", answer(500), 9, DURABLE, again(2 * HOUR, 10)),
    ("eleventh", answer(500), 10, DURABLE, again(3 * HOUR, 11)),
    ("last but one", answer(500), LAST - 1, DURABLE, again(3 * HOUR, LAST)),
    ("last", answer(500), LAST, DURABLE, FAILED),
    ("last, timeout", TIMEOUT, LAST, DURABLE, FAILED),
    # Retry-After makes a delay longer, up to a limit, and never shorter.
    ("in 30 s", answer(503, "30"), 0, DURABLE, again(30 * SECOND, 1)),
    ("in 30 s, 429", answer(429, "30"), 0, DURABLE, again(30 * SECOND, 1)),
    ("in 30 s, 500", answer(500, "30"), 0, DURABLE, again(30 * SECOND, 1)),
    ("in 30 s, 302", answer(302, "30"), 0, DURABLE, again(30 * SECOND, 1)),
    ("at once", answer(503, "0"), 3, DURABLE, again(15 * SECOND, 4)),
    ("sooner", answer(503, "1"), 8, DURABLE, again(1 * HOUR, 9)),
    ("in 3 h", answer(503, "10800"), 0, DURABLE, again(3 * HOUR, 1)),
    ("in 10 h", answer(503, "36000"), 0, DURABLE, again(3 * HOUR, 1)),
    ("never", answer(503, "9" * 18), 0, DURABLE, again(3 * HOUR, 1)),
    ("date", answer(503, "Tue, 20 Jan 2026 12:02:00 GMT"), 0, DURABLE, again(2 * MINUTE, 1)),
    ("old date", answer(503, "Tue, 20 Jan 2015 12:02:00 GMT"), 0, DURABLE, FIRST_STEP),
    ("nonsense", answer(503, "soon"), 0, DURABLE, FIRST_STEP),
    ("negative", answer(503, "-5"), 0, DURABLE, FIRST_STEP),
    ("after the last", answer(503, "30"), LAST, DURABLE, FAILED),
    # We were busy: nothing was sent, so it was no attempt.
    ("busy", BUSY, 0, DURABLE, again(1 * SECOND, 0)),
    ("busy later", BUSY, 9, DURABLE, again(1 * SECOND, 9)),
    ("busy at the last", BUSY, LAST, DURABLE, again(1 * SECOND, LAST)),
    ("busy, hosted", BUSY, 0, HOSTED_0, again(1 * SECOND, 0)),
    # What the hosted API does: nothing, unless a retry count is set.
    ("hosted 500", answer(500), 0, HOSTED_0, FAILED),
    ("hosted 503", answer(503), 0, HOSTED_0, FAILED),
    ("hosted timeout", TIMEOUT, 0, HOSTED_0, FAILED),
    ("hosted 410", answer(410), 0, HOSTED_0, STOPPED),
    ("hosted 503, 1 retry", answer(503), 0, HOSTED_1, again(1 * SECOND, 1)),
    ("hosted 503, 1 retry used", answer(503), 1, HOSTED_1, FAILED),
    ("hosted 429", answer(429), 0, HOSTED_3, again(1 * SECOND, 1)),
    ("hosted 504, second", answer(504), 1, HOSTED_3, again(2 * SECOND, 2)),
    ("hosted timeout, third", TIMEOUT, 2, HOSTED_3, again(4 * SECOND, 3)),
    ("hosted timeout, fourth", TIMEOUT, 3, HOSTED_3, FAILED),
    ("hosted 500, 3 retries", answer(500), 0, HOSTED_3, FAILED),
    ("hosted 404, 3 retries", answer(404), 0, HOSTED_3, FAILED),
    ("hosted 302, 3 retries", answer(302), 0, HOSTED_3, FAILED),
    ("hosted refused, 3 retries", REFUSED_PORT, 0, HOSTED_3, FAILED),
    ("hosted no name, 3 retries", NO_NAME, 0, HOSTED_3, FAILED),
    ("hosted ignores Retry-After", answer(503, "30"), 0, HOSTED_3, again(1 * SECOND, 1)),
]


@pytest.mark.parametrize(
    ("outcome", "retry_count", "schedule", "expected"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_the_decision_table(
    outcome: AttemptOutcome, retry_count: int, schedule: Schedule, expected: Decision
) -> None:
    assert decide(outcome, retry_count, schedule, Draw(), NOW_MS) == expected


def test_jitter_only_adds_and_not_more_than_its_share() -> None:
    most = Draw(0.999_999)
    for retry_count, delay_ms in enumerate(DURABLE.delays_ms):
        longest = decide(answer(500), retry_count, DURABLE, most, NOW_MS).delay_ms
        assert delay_ms * 109 // 100 < longest <= delay_ms * 110 // 100
    assert decide(answer(503), 0, HOSTED_3, most, NOW_MS).delay_ms == 1 * SECOND
    asked = decide(answer(503, "600"), 0, DURABLE, most, NOW_MS).delay_ms
    assert 10 * MINUTE < asked <= 11 * MINUTE
    assert 1 * SECOND < decide(BUSY, 0, DURABLE, most, NOW_MS).delay_ms <= 1100


def test_the_schedule_covers_24_hours_and_little_more() -> None:
    assert 24 * HOUR < DURABLE.lasts_ms_min < 25 * HOUR
    assert DURABLE.lasts_ms_max < 60 * HOUR
    assert hosted_schedule(0).lasts_ms_min == hosted_schedule(0).lasts_ms_max == 0
    assert hosted_schedule(3).lasts_ms_min == hosted_schedule(3).lasts_ms_max == 7 * SECOND


def test_a_day_of_failures_is_survived_with_any_seed() -> None:
    """10,000 seeds: an endpoint away for 24 hours gets another attempt after it is back."""
    began = time.perf_counter()
    asked_afterwards = []
    for seed in range(10_000):
        draw = Draw(seed=seed)
        now_ms, retry_count, step_ms = NOW_MS, 0, 0
        while now_ms < NOW_MS + 24 * HOUR:
            outcome = draw_outcome(draw)
            decision = decide(outcome, retry_count, DURABLE, draw, now_ms)
            assert decision.verdict is Verdict.RETRY
            assert decision.retry_count == retry_count + 1
            step_ms = decision.delay_ms
            now_ms, retry_count = now_ms + step_ms, decision.retry_count
        asked_afterwards.append(now_ms - NOW_MS - 24 * HOUR)
        assert decide(answer(200), retry_count, DURABLE, draw, now_ms) == DELIVERED
        assert step_ms <= limits.RETRY_AFTER_MS_MAX * 110 // 100
    assert max(asked_afterwards) <= limits.RETRY_AFTER_MS_MAX * 110 // 100
    assert time.perf_counter() - began < 60


def draw_outcome(draw: Draw) -> AttemptOutcome:
    """Any failure, sometimes with a wish for the time of the next attempt."""
    kinds = [answer(500), answer(404), answer(302), TIMEOUT, REFUSED_PORT, NOT_ALLOWED]
    wishes = [answer(503, "1"), answer(429, "3600"), answer(503, "999999")]
    choices = kinds + wishes
    return choices[int(draw.fraction() * len(choices))]


def test_an_endpoint_that_always_fails_gets_a_fixed_number_of_attempts() -> None:
    now_ms, retry_count, attempts = NOW_MS, 0, 0
    while True:
        attempts += 1
        decision = decide(answer(503, "1"), retry_count, DURABLE, Draw(0.5), now_ms)
        if decision.verdict is not Verdict.RETRY:
            break
        now_ms, retry_count = now_ms + decision.delay_ms, decision.retry_count
    assert (attempts, retry_count) == (LAST + 1, LAST)
    assert now_ms - NOW_MS > 24 * HOUR


@pytest.mark.parametrize(
    ("outcome", "is_pre_action", "code"),
    [
        (answer(200), False, None),
        (answer(204), True, None),
        (answer(302), False, 11216),
        (answer(302), True, 11216),
        (answer(399), False, 11216),
        (answer(400), False, 50057),
        (answer(410), False, 50057),
        (answer(500), False, 50057),
        (answer(400), True, 50056),
        (answer(503), True, 50056),
        (TIMEOUT, False, 50076),
        (TIMEOUT, True, 50076),
        (REFUSED_PORT, False, 11205),
        (REFUSED_PORT, True, 11205),
        (NO_NAME, False, 11210),
        (BAD_CERTIFICATE, True, 11237),
        (NOT_HTTP, False, 11206),
        (NO_URL, False, 11200),
    ],
)
def test_each_failure_has_its_code_in_the_log(
    outcome: AttemptOutcome, is_pre_action: bool, code: int | None
) -> None:
    assert log_code(outcome, is_pre_action=is_pre_action) == code


@pytest.mark.parametrize(
    ("text", "asked_ms"),
    [
        ("0", 0),
        ("120", 120 * SECOND),
        (" 120\t", 120 * SECOND),
        ("007", 7 * SECOND),
        ("Tue, 20 Jan 2026 12:00:01 GMT", SECOND),
        ("Tue, 20 Jan 2026 11:59:59 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Tuesday, 20-Jan-26 13:00:00 GMT", HOUR),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        ("Friday, 20-Jan-76 12:00:00 GMT", 1_577_836_800 * SECOND),
        ("Saturday, 20-Jan-77 12:00:00 GMT", 0),
        ("Tue Jan 20 12:00:05 2026", 5 * SECOND),
        ("Sun Nov  6 08:49:37 1994", 0),
        ("Thu, 31 Dec 9999 23:59:59 GMT", 253_402_300_799_000 - NOW_MS),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("+5", None),
        ("\u0665", None),
        ("9" * 19, None),
        ("Tue, 20 Jan 2026 12:00:01 CET", None),
        ("Tue, 20 jan 2026 12:00:01 GMT", None),
        ("Tue, 20 anF 2026 12:00:01 GMT", None),
        ("Tue, 30 Feb 2026 12:00:01 GMT", None),
        ("Tue, 20 Jan 2026 24:00:01 GMT", None),
        ("Tue, 20 Jan 0000 12:00:01 GMT", None),
        ("Tue, 20 Jan 2026 12:00:01 GMT, 5", None),
        ("2026-01-20T12:00:01Z", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_of_http(text: str, asked_ms: int | None) -> None:
    assert parse_retry_after(text, NOW_MS) == asked_ms


def test_an_outcome_is_a_response_or_a_failure() -> None:
    for values in ({}, {"status": 200, "failure": "dns"}):
        with pytest.raises(AssertionError):
            AttemptOutcome(**values)
