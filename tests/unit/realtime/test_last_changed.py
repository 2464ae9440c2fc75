"""The cache of last changes: its completeness while the scan of the log and changes overlap."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.realtime.last_changed import UNKNOWN, LastChanged
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

POSITION = 100
"""The last event before the start."""


class ScannedLog:
    """A store whose log is read in prepared steps; something may happen during each read."""

    def __init__(self, *steps: tuple[list[tuple[int, str]], Callable[[], None]]) -> None:
        self._steps = list(steps)

    async def read(self, _work: Any) -> list[tuple[int, str]]:
        found, during = self._steps.pop(0)
        during()
        return found

    @property
    def is_read(self) -> bool:
        return not self._steps


def scan(cache: LastChanged, log: ScannedLog) -> None:
    asyncio.run(cache.scan_back(log))  # type: ignore[arg-type]
    assert log.is_read


def nothing() -> None:
    pass


@pytest.fixture(autouse=True)
def three_events_per_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BACK_SCAN_EVENTS_PER_STEP", 3)


def started(keys_max: int) -> LastChanged:
    cache = LastChanged(keys_max)
    cache.reset(POSITION)
    return cache


def test_a_scan_of_the_whole_log_makes_the_cache_complete() -> None:
    cache = started(4)
    scan(cache, ScannedLog(([(99, "a"), (98, "b"), (97, "a")], nothing), ([(96, "c")], nothing)))
    assert [cache.last(key) for key in "abcd"] == [99, 98, 96, UNKNOWN]
    assert cache.changed_since("a", 98)
    assert not cache.changed_since("a", 99)
    assert not cache.changed_since("d", 1)


def test_a_conversation_evicted_during_the_scan_counts_as_changed() -> None:
    cache = started(4)

    def evict() -> None:
        cache.record("new 1", 101)
        cache.record("new 2", 102)

    scan(
        cache,
        ScannedLog(
            ([(99, "a"), (98, "b"), (97, "c")], nothing),
            ([(96, "a"), (95, "a"), (94, "a")], evict),
        ),
    )
    assert cache.last("c") == UNKNOWN
    assert cache.changed_since("c", 96)
    # Complete after the evicted change.
    assert not cache.changed_since("d", 97)


def test_a_scan_does_not_restore_an_evicted_conversation_with_an_earlier_change() -> None:
    cache = started(4)

    def evict() -> None:
        cache.record("new 1", 101)
        cache.record("new 2", 102)

    scan(
        cache,
        ScannedLog(
            ([(99, "a"), (98, "b"), (97, "c")], nothing),
            ([(96, "c"), (95, "c"), (94, "c")], evict),
        ),
    )
    assert cache.changed_since("c", 96)


def test_a_scan_that_a_reset_overtakes_changes_nothing() -> None:
    cache = started(4)
    scan(cache, ScannedLog(([(99, "a"), (98, "b")], lambda: cache.reset(200))))
    assert cache.last("a") == UNKNOWN
    assert cache.changed_since("a", 150)
