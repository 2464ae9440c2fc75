"""The states of a login throttle, on a manual clock."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from parlour.operations.login_throttle import LoginThrottle
from parlour.vocabulary import limits

PEERS = ("192.0.2.1", "192.0.2.2", "2001:db8::/64")
NAMES = ("AC1", "AC2", "SK3")
WINDOW = limits.LOGIN_FAILURES_MS


def fail(
    throttle: LoginThrottle, count: int, peer: str = "p", name: str = "AC", at: float = 0
) -> None:
    for _ in range(count):
        throttle.failed(peer, name, at)


def test_ten_failures_throttle_the_pair_and_no_other() -> None:
    throttle = LoginThrottle()
    fail(throttle, 9)
    assert throttle.state("p", "AC", 0) == "calm"
    fail(throttle, 1)
    assert throttle.state("p", "AC", 0) == "throttled"
    assert throttle.state("p", "AC2", 0) == "calm"
    assert throttle.state("p2", "AC", 0) == "calm"


def test_a_pair_without_failures_may_try_once_after_six_seconds_and_ten_times_after_a_minute() -> (
    None
):
    throttle = LoginThrottle()
    fail(throttle, 10_000)
    assert throttle.state("p", "AC", 5_999) == "throttled"
    assert throttle.state("p", "AC", 6_000) == "calm"
    fail(throttle, 1, at=6_000)
    assert throttle.state("p", "AC", 6_000) == "throttled"
    fail(throttle, 9, at=6_000 + WINDOW)
    assert throttle.state("p", "AC", 6_000 + WINDOW) == "calm"


def test_a_full_pair_or_full_server_floods() -> None:
    throttle = LoginThrottle()
    fail(throttle, 10)
    fail(throttle, 10, name="AC2")
    for _ in range(limits.LOGINS_HELD_PER_PAIR_MAX):
        assert throttle.state("p", "AC", 0) == "throttled"
        throttle.hold("p", "AC", 0)
    assert throttle.state("p", "AC", 0) == "flooded"
    assert throttle.state("p", "AC2", 0) == "throttled"
    for number in range(limits.LOGINS_HELD_MAX - limits.LOGINS_HELD_PER_PAIR_MAX):
        throttle.hold("p", f"AC{number + 10}", 0)
    assert throttle.state("p", "AC2", 0) == "throttled", "None of this pair is held."
    throttle.hold("p", "AC2", 0)
    assert throttle.state("p", "AC2", 0) == "flooded"
    throttle.release("p", "AC")
    throttle.release("p", "AC")
    assert throttle.state("p", "AC", 0) == "throttled"
    for number in range(limits.LOGINS_HELD_MAX + 1):
        throttle.hold("p", f"SK{number}", 0)
    fail(throttle, 10, name="AC3")
    assert throttle.state("p", "AC3", 0) == "flooded", "Twice as many are held in all."


def test_simultaneous_delayed_logins_are_released_one_by_one_within_the_maximum() -> None:
    throttle = LoginThrottle()
    delays = [throttle.hold("p", "AC", 1_000) for _ in range(limits.LOGINS_HELD_MAX)]
    assert delays[0] == limits.LOGIN_DELAY_MS
    pauses = {after - before for before, after in pairwise(delays[:370])}
    assert pauses == {limits.LOGIN_RELEASE_PAUSE_MS}
    assert delays[-1] == limits.LOGIN_DELAY_MS_MAX
    assert throttle.hold("p", "AC", 60_000) == limits.LOGIN_DELAY_MS


STEPS = st.lists(
    st.tuples(st.sampled_from(PEERS), st.sampled_from(NAMES), st.integers(0, 20_000)), max_size=120
)


@given(STEPS)
@settings(max_examples=200)
def test_no_pair_is_throttled_before_ten_failures_in_a_minute_and_each_one_after(
    steps: list[tuple[str, str, int]],
) -> None:
    throttle = LoginThrottle(salt=b"salt")
    failures: dict[tuple[str, str], deque[int]] = {}
    now = 0
    for peer, name, pause in steps:
        now += pause
        mine = failures.setdefault((peer, name), deque(maxlen=1_000))
        is_calm = throttle.state(peer, name, now) == "calm"
        if sum(at > now - WINDOW for at in mine) < limits.LOGIN_FAILURES_MAX:
            assert is_calm
        # Ten at this moment exceed the limit of a minute, regardless of earlier ones.
        if sum(at == now for at in mine) >= limits.LOGIN_FAILURES_MAX:
            assert not is_calm
        throttle.failed(peer, name, now)
        mine.append(now)


def test_invented_pairs_neither_throttle_others_nor_release_their_source() -> None:
    throttle = LoginThrottle(salt=b"salt")
    fail(throttle, 10, peer="attacker", name="AC1")
    for number in range(100_000):
        # 3,000 guesses a second, each with a different name, for half a minute.
        throttle.failed("attacker", f"AC{number}x", number / 3)
    assert throttle.state("attacker", "AC1", 0) == "throttled"
    others = [throttle.state("innocent", f"AC{number}", 33_333) for number in range(5_000)]
    assert others.count("calm") == len(others)
