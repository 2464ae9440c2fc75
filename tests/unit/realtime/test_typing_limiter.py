"""Typing is rate limited for each user in each conversation, and evicted later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from hypothesis import given
from hypothesis import strategies as st

from parlour.realtime.typing_limiter import TypingLimiter
from parlour.vocabulary import limits

if TYPE_CHECKING:
    import pytest

    from parlour.vocabulary.clock import Clock


@dataclass
class _Clock:
    ms: float = 0

    def monotonic_ms(self) -> float:
        return self.ms


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3_000)), max_size=60)
)
def test_each_typist_is_published_no_sooner_than_allowed(
    calls: list[tuple[int, int, int]],
) -> None:
    clock = _Clock()
    typists = TypingLimiter(cast("Clock", clock))
    published: dict[tuple[int, str], float] = {}
    for typist, conversation, passed_ms in calls:
        clock.ms += passed_ms
        key = (typist, f"CH{conversation}")
        last = published.get(key)
        is_due = last is None or clock.ms - last >= limits.TYPING_AGAIN_MS
        assert typists.is_due(*key) == is_due
        if is_due:
            published[key] = clock.ms


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TYPISTS_MAX", 3)
    typists = TypingLimiter(cast("Clock", _Clock()))
    assert all(typists.is_due(number, "CH1") for number in range(10))
    assert not typists.is_due(9, "CH1")
    assert typists.is_due(0, "CH1")
