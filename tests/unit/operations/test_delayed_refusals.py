"""Rejections are delayed under load, in order, and none longer than the maximum."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from parlour.operations.delayed_refusals import DelayedRefusals
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock

AT_ONCE = limits.REFUSALS_AT_ONCE_MAX
HELD_MS = int(limits.REFUSAL_DELAY_MS_MAX)


def test_first_rejections_are_sent_at_once_and_further_ones_delayed() -> None:
    held: DelayedRefusals[int] = DelayedRefusals(FakeClock())

    answers = [held.hold(number) for number in range(AT_ONCE + 5)]

    assert answers == [False] * AT_ONCE + [True] * 5
    assert len(held) == 5
    assert held.due() == []


def test_delayed_rejections_are_sent_at_their_rate_in_order() -> None:
    clock = FakeClock()
    held: DelayedRefusals[int] = DelayedRefusals(clock)
    for number in range(AT_ONCE + 100):
        held.hold(number)

    clock.advance(3)
    first = held.due()
    clock.advance(2)
    second = held.due()

    assert first == list(range(AT_ONCE, AT_ONCE + 3 * limits.REFUSALS_PER_MS))
    assert second == list(range(first[-1] + 1, first[-1] + 1 + 2 * limits.REFUSALS_PER_MS))


def test_no_rejection_is_delayed_longer_than_the_maximum() -> None:
    clock = FakeClock()
    held: DelayedRefusals[int] = DelayedRefusals(clock)
    for number in range(AT_ONCE + 1000):
        held.hold(number)

    clock.advance(HELD_MS)

    assert len(held.due()) == 1000
    assert len(held) == 0


def test_rejection_is_sent_at_once_if_the_queue_is_full() -> None:
    held: DelayedRefusals[int] = DelayedRefusals(FakeClock())
    for number in range(AT_ONCE + limits.REFUSALS_DELAYED_MAX):
        held.hold(number)

    assert len(held) == limits.REFUSALS_DELAYED_MAX
    assert held.hold(-1) is False


def test_completed_requests_release_rejections() -> None:
    held: DelayedRefusals[int] = DelayedRefusals(FakeClock())
    for number in range(AT_ONCE + 100):
        held.hold(number)

    for _ in range(3):
        held.earn()

    assert held.due() == list(range(AT_ONCE, AT_ONCE + 3 * limits.REFUSALS_PER_REQUEST))


def test_late_rejections_have_separate_tokens() -> None:
    clock = FakeClock()
    held: DelayedRefusals[int] = DelayedRefusals(clock)
    for number in range(AT_ONCE + 100):
        held.hold(number)
    held.earn()

    at_once = held.due()
    clock.advance(int(limits.REFUSAL_DELAY_MS))
    late = held.due()

    assert len(at_once) == limits.REFUSALS_PER_REQUEST
    earned = int(limits.REFUSAL_DELAY_MS) * limits.REFUSALS_PER_MS
    assert len(late) == earned + limits.LATE_REFUSALS_PER_REQUEST


def test_tokens_are_capped_at_the_burst() -> None:
    held: DelayedRefusals[int] = DelayedRefusals(FakeClock())
    for _ in range(AT_ONCE * 2):
        held.earn()

    answers = [held.hold(number) for number in range(AT_ONCE * 2)]

    assert answers.count(False) < AT_ONCE + limits.REFUSALS_PER_REQUEST


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=40))
def test_every_rejection_is_sent_once_in_order_and_in_time(steps: list[tuple[int, int]]) -> None:
    clock = FakeClock()
    held: DelayedRefusals[tuple[int, float]] = DelayedRefusals(clock)
    sent: list[int] = []
    number = 0
    for count, pause_ms in steps:
        for _ in range(count):
            if not held.hold((number, clock.monotonic_ms())):
                sent.append(number)
            number += 1
        clock.advance(min(pause_ms, limits.REFUSAL_STEP_MS))
        for each, since_ms in held.due():
            sent.append(each)
            late_ms = clock.monotonic_ms() - since_ms
            assert late_ms <= limits.REFUSAL_DELAY_MS_MAX + limits.REFUSAL_STEP_MS
    clock.advance(HELD_MS)
    sent += [each for each, _ in held.due()]

    assert sent == list(range(number))
