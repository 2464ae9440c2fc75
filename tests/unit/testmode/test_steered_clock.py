"""The steered clock, its timers, and the dates of access tokens."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parlour.protocol.access_tokens import SERVER_CLOCK, UnverifiedToken
from parlour.testmode.clock.steered_clock import ClockMode, SteeredClock
from parlour.testmode.clock.token_dates import AUTO, SYSTEM, VIRTUAL, SteeredTokenDates
from parlour.vocabulary.clock import FakeClock

START_MS = 1_700_000_000_000
DAY_MS = 24 * 60 * 60 * 1000
ACCOUNT_SID = "AC" + "0" * 32


def steered() -> tuple[FakeClock, SteeredClock]:
    """Return a clock, and the real time below it."""
    real = FakeClock(START_MS)
    return real, SteeredClock(real)


def token(signature: bytes = b"s", **claims: Any) -> UnverifiedToken:
    """Return a token with these claims."""
    return UnverifiedToken(
        key_sid="SK" + "0" * 32,
        account_sid=ACCOUNT_SID,
        claims=claims,
        algorithm="HS256",
        signed=b"",
        signature=signature,
    )


# --- Modes ----------------------------------------------------------------------------------


def test_a_new_clock_shows_the_real_time() -> None:
    real, clock = steered()
    real.advance(5)

    assert (clock.mode, clock.now_ms(), clock.offset_ms) == (ClockMode.SYSTEM, START_MS + 5, 0)


def test_a_frozen_clock_is_constant_and_durations_are_real() -> None:
    real, clock = steered()
    clock.freeze()
    before = clock.monotonic_ms()
    real.advance(1000)

    assert (clock.mode, clock.now_ms(), clock.offset_ms) == (ClockMode.FROZEN, START_MS, -1000)
    assert clock.monotonic_ms() - before == 1000


def test_a_shifted_clock_runs_on() -> None:
    real, clock = steered()
    clock.shift(START_MS + DAY_MS)
    real.advance(7)

    assert (clock.mode, clock.now_ms()) == (ClockMode.SHIFTED, START_MS + DAY_MS + 7)
    clock.system()
    assert (clock.mode, clock.now_ms()) == (ClockMode.SYSTEM, START_MS + 7)


def test_listeners_are_called_in_order_after_each_change() -> None:
    _, clock = steered()
    seen: list[tuple[str, int]] = []
    for name in ("first", "second"):
        clock.on_change(lambda name=name: seen.append((name, clock.now_ms())))  # type: ignore[misc]

    clock.freeze(START_MS + 1)
    clock.advance_to(START_MS + 2)

    assert seen == [
        ("first", START_MS + 1),
        ("second", START_MS + 1),
        ("first", START_MS + 2),
        ("second", START_MS + 2),
    ]


# --- Timers ---------------------------------------------------------------------------------


def test_timers_of_a_frozen_clock_run_in_the_order_of_their_dates() -> None:
    async def run() -> list[str]:
        _, clock = steered()
        clock.freeze()
        seen: list[str] = []

        def warn() -> None:
            seen.append("warning")
            clock.timers.call_at(START_MS + 240_000, lambda: seen.append("end"))

        clock.timers.call_at(START_MS + 300_000, lambda: seen.append("later"))
        clock.timers.call_at(START_MS + 1000, warn)
        clock.timers.call_at(START_MS + 2000, lambda: seen.append("cancelled")).cancel()
        assert sorted(clock.timers.due_times()) == [START_MS + 1000, START_MS + 300_000]
        clock.advance_to(START_MS + 250_000)
        return seen

    assert asyncio.run(run()) == ["warning", "end"]


def test_a_timer_of_a_frozen_clock_does_not_follow_the_real_time() -> None:
    async def run() -> list[int]:
        real, clock = steered()
        clock.freeze()
        seen: list[int] = []
        clock.timers.call_at(START_MS + 1, lambda: seen.append(1))
        real.advance(DAY_MS)
        await asyncio.sleep(0.01)
        return seen

    assert asyncio.run(run()) == []


def test_a_timer_of_a_clock_that_runs_waits_for_the_event_loop() -> None:
    async def run() -> int:
        real, clock = steered()
        done = asyncio.Event()
        clock.timers.call_at(START_MS + 5, done.set)
        real.advance(5)
        await asyncio.wait_for(done.wait(), 10)
        clock.timers.call_at(START_MS, done.clear)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return done.is_set()

    assert asyncio.run(run()) is False


# --- Tokens ---------------------------------------------------------------------------------


def dates_of(clock: SteeredClock, rule: str = AUTO) -> SteeredTokenDates:
    """Return the rule for tokens."""
    return SteeredTokenDates(clock, lambda _account_sid: rule)


NOW = START_MS // 1000


@pytest.mark.parametrize(
    "claims", [{"iat": NOW + 10}, {"nbf": NOW + 10}, {"jti": f"SK{'0' * 32}-{NOW + 10}"}]
)
def test_a_token_made_by_real_time_counts_as_made_at_the_date_of_then(claims: Any) -> None:
    real, clock = steered()
    real.advance(5000)
    clock.freeze(START_MS + 3 * DAY_MS)
    real.advance(5000)

    # Made 5 s after the clock was frozen: its lifetime begins at the frozen date.
    shift_ms = dates_of(clock).shift_ms(token(**claims))

    assert (NOW + 10) * 1000 + shift_ms == START_MS + 3 * DAY_MS


def test_a_token_of_before_an_advance_has_aged_after_it() -> None:
    real, clock = steered()
    clock.freeze()
    real.advance(2000)
    clock.advance_to(START_MS + DAY_MS)
    real.advance(2000)
    dates = dates_of(clock)

    assert dates.shift_ms(token(b"old", iat=NOW + 1)) == -1000
    assert dates.shift_ms(token(b"new", iat=NOW + 4)) == DAY_MS - 4000


def test_a_token_that_was_verified_before_an_advance_in_its_second_has_aged() -> None:
    real, clock = steered()
    clock.freeze()
    real.advance(2100)
    dates = dates_of(clock)
    seen = dates.shift_ms(token(b"seen", iat=NOW + 2))
    real.advance(100)
    clock.advance_to(START_MS + DAY_MS)

    assert dates.shift_ms(token(b"seen", iat=NOW + 2)) == seen == -2000
    assert dates.shift_ms(token(b"unseen", iat=NOW + 2)) == DAY_MS - 2000


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_token_of_before_is_not_from_the_future_once_the_clock_went_back(
    is_frozen: bool,
) -> None:
    real, clock = steered()
    dates = dates_of(clock)
    real.advance(2000)
    clock.freeze(START_MS + 3 * DAY_MS)
    real.advance(2000)
    made = token(iat=NOW + 3)
    assert dates.shift_ms(made) == 3 * DAY_MS - 3000

    if is_frozen:
        clock.freeze(START_MS - 300 * DAY_MS)
    else:
        clock.system()

    assert dates.shift_ms(made) == (-300 * DAY_MS - 3000 if is_frozen else 0)


@pytest.mark.parametrize(
    "claims",
    [
        {"iat": NOW - 10},  # Before the start.
        {"iat": NOW + 100},  # A minute after now.
        {"iat": NOW, SERVER_CLOCK: True},
        {"iat": "soon"},
        {"jti": "SK-" + "9" * 5000},
        {},
    ],
)
def test_other_tokens_have_dates_of_the_server_s_clock(claims: Any) -> None:
    real, clock = steered()
    clock.freeze(START_MS + DAY_MS)
    real.advance(10)

    assert dates_of(clock).shift_ms(token(**claims)) == 0


def test_an_account_can_choose_the_clock_of_its_tokens() -> None:
    real, clock = steered()
    clock.freeze(START_MS + DAY_MS)
    real.advance(2500)

    made = token(iat=NOW + 2)
    assert dates_of(clock, VIRTUAL).shift_ms(made) == 0
    assert dates_of(clock, SYSTEM).shift_ms(made) == DAY_MS - 2500
