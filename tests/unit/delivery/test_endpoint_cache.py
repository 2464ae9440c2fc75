"""Endpoints in memory: capped; idle ones are dropped, and found again when they are due."""

from __future__ import annotations

import pytest

from parlour.delivery.lanes import Lanes
from parlour.vocabulary import limits
from tests.unit.delivery.test_lanes import NOW, delivery

LARGE, SMALL = "AC1", "AC2"
KNOWN_MAX = 20
LATER = NOW + 60_000


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ENDPOINTS_KNOWN_MAX", KNOWN_MAX)
    monkeypatch.setattr(limits, "ENDPOINTS_DROPPED_PER_STEP_MAX", 5)
    monkeypatch.setattr(limits, "POLLS_OUTDATED_MAX", 10)


def url_of(number: int) -> str:
    return f"http://h.test/{number}"


def test_the_oldest_idle_endpoints_of_the_largest_account_are_dropped() -> None:
    lanes = Lanes()
    for number in range(3):
        lanes.schedule_poll((SMALL, url_of(number)), LATER)
    lanes.offer(delivery(1, 1, url=url_of(0), account=LARGE))
    for number in range(1, 5 * KNOWN_MAX):
        lanes.schedule_poll((LARGE, url_of(number)), LATER + number)
        assert len(lanes.endpoints) <= KNOWN_MAX

    keys = [each.key for each in lanes.endpoints]
    assert keys[:3] == [(SMALL, url_of(number)) for number in range(3)]
    assert keys[3] == (LARGE, url_of(0))  # It is in use.
    assert keys[-1] == (LARGE, url_of(5 * KNOWN_MAX - 1))
    assert len(lanes._polls) <= 2 * KNOWN_MAX + limits.POLLS_OUTDATED_MAX + 1


def test_the_account_of_a_dropped_endpoint_is_searched_when_it_is_due() -> None:
    lanes = Lanes()
    for number in range(KNOWN_MAX + 1):
        lanes.schedule_poll((LARGE, url_of(number)), LATER + number)

    assert lanes.endpoints.get((LARGE, url_of(0))) is None
    assert lanes.next_poll_ms() == LATER
    assert lanes.endpoints.take_due_searches(LATER - 1) == []
    assert lanes.endpoints.take_due_searches(LATER) == [LARGE]
    assert lanes.endpoints.take_due_searches(LATER) == []


def test_an_endpoint_that_is_found_due_takes_the_place_of_one_that_is_not() -> None:
    lanes = Lanes()
    for number in range(KNOWN_MAX):
        lanes.schedule_found((LARGE, url_of(number)), LATER, NOW)
    lanes.schedule_found((LARGE, "http://later.test/"), LATER, NOW)
    lanes.schedule_found((LARGE, "http://due.test/"), NOW, NOW)

    assert lanes.endpoints.get((LARGE, "http://later.test/")) is None
    assert lanes.endpoints.get((LARGE, "http://due.test/")) is not None


def test_without_room_a_search_waits() -> None:
    lanes = Lanes()
    for number in range(KNOWN_MAX):
        lanes.schedule_poll((LARGE, url_of(number)), NOW)
    lanes.schedule_found((SMALL, url_of(0)), NOW, NOW)

    assert lanes.endpoints.get((SMALL, url_of(0))) is None
    assert lanes.endpoints.take_due_searches(NOW) == []
    assert lanes.endpoints.next_search_ms() == NOW + limits.ENDPOINTS_FULL_MS
    for each in list(lanes.endpoints)[:1]:
        lanes.endpoints.forget(each)
    assert lanes.endpoints.take_due_searches(NOW) == [SMALL]
