"""Endpoints in memory: capped; idle ones are evicted, and found again when they are due."""

from __future__ import annotations

import pytest

from parlour.delivery.lanes import Lanes
from parlour.vocabulary import limits
from tests.unit.delivery.lane_setup import NOW, delivery

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


def test_a_due_endpoint_replaces_one_that_is_not_due() -> None:
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
        lanes.endpoints.remove(each)
    assert lanes.endpoints.take_due_searches(NOW) == [SMALL]


def test_an_account_is_searched_at_the_earliest_time_and_after_the_clock_was_set_back() -> None:
    endpoints = Lanes().endpoints
    assert endpoints.next_search_ms() is None
    endpoints.schedule_search(LARGE, LATER)
    endpoints.schedule_search(LARGE, LATER + 1)
    assert endpoints.next_search_ms() == LATER
    endpoints.search_all()
    assert endpoints.next_search_ms() == 0


def test_an_endpoint_is_cached_once_and_evicted_once() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1, account=LARGE, url=url_of(0)))
    endpoints = lanes.endpoints
    endpoint = endpoints.get_or_create((LARGE, url_of(0)))
    assert len(endpoints) == 1
    lane = lanes.next_lane()
    assert lane is not None
    assert lane.endpoint is endpoint
    lanes.finish_attempt(lane, is_done=True, timed_out=False)
    lanes.recorded(lane, None, is_promoted=False)
    assert len(endpoints) == 0
    endpoints.remove(endpoint)
    assert list(endpoints) == []


def test_idle_endpoints_without_a_poll_are_evicted_without_a_search() -> None:
    lanes = Lanes()
    for number in range(KNOWN_MAX):
        lanes.endpoints.get_or_create((LARGE, url_of(number)))
    lanes.endpoints.get_or_create((SMALL, url_of(0)))
    assert lanes.endpoints.next_search_ms() is None


def test_while_the_cache_is_full_its_idle_endpoints_are_not_read_for_each_found_one() -> None:
    lanes = Lanes()
    for number in range(KNOWN_MAX):
        lanes.schedule_poll((LARGE, url_of(number)), NOW)
    assert not lanes.endpoints.has_room(NOW)
    assert not lanes.endpoints.has_room(NOW + 1)


def test_searches_of_some_accounts_are_dropped() -> None:
    endpoints = Lanes().endpoints
    for account_sid in (LARGE, SMALL):
        endpoints.schedule_search(account_sid, LATER)
    endpoints.drop_searches(lambda account_sid: account_sid == LARGE)
    assert endpoints.take_due_searches(LATER) == [SMALL]
