"""Lanes: one delivery of a lane at a time, round robin over endpoints, without starvation."""

from __future__ import annotations

import pytest

from parlour.delivery.lanes import Lane, Lanes
from parlour.delivery.states import LaneState
from parlour.vocabulary import limits
from tests.unit.delivery.lane_setup import ACCOUNT, NOW, URL, all_sent, delivery, finish, look, send


def test_a_lane_has_one_on_its_way_and_keeps_its_order() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    lanes.offer(delivery(1, 2))
    lane, *sent = send(lanes)
    assert sent == [1, 1]
    assert not lanes.has_ready_lane
    finish(lanes, lane)
    assert all_sent(lanes) == [(1, 2)]


def test_endpoints_take_turns() -> None:
    lanes = Lanes()
    for number in range(3):
        lanes.offer(delivery(number, number, url="http://a.test/"))
    lanes.offer(delivery(9, 9, url="http://b.test/"))
    assert [send(lanes)[1] for _ in range(3)] == [0, 9, 1]


def test_loaded_and_live_deliveries_share_one_endpoint() -> None:
    """A regression: two endpoints with one key took turns, and one of them starved."""
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 0)
    assert look(lanes, {1: [delivery(1, 1), delivery(1, 2)], 2: [delivery(2, 3)]}) == [1, 2]
    lanes.offer(delivery(3, 4))
    lanes.offer(delivery(1, 5, due_ms=None))
    (endpoint,) = lanes.endpoints
    assert sorted(endpoint.lanes) == [1, 2, 3]
    assert sorted(all_sent(lanes)) == [(1, 1), (1, 2), (1, 5), (2, 3), (3, 4)]
    assert not list(lanes.endpoints)


def test_an_endpoint_that_is_being_loaded_is_not_evicted() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 0)
    endpoint = lanes.due_poll(NOW)
    assert endpoint is not None
    with lanes.loading(endpoint):
        assert lanes.lanes_to_load(endpoint, [(1, NOW, 1)], NOW) == [1]
        # In the meantime: a delivery behind a head on disk, and one without a predecessor.
        lanes.offer(delivery(1, 2, due_ms=None))
        lanes.offer(delivery(2, 3))
        lanes.load(endpoint, 1, [delivery(1, 1), delivery(1, 2)], is_whole=True)
    assert list(lanes.endpoints) == [endpoint]
    assert sorted(all_sent(lanes)) == [(1, 1), (1, 2), (2, 3)]


def test_a_failed_poll_is_retried() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 0)
    endpoint = lanes.due_poll(NOW)
    assert endpoint is not None
    with pytest.raises(OSError, match="disk"), lanes.loading(endpoint):
        raise OSError("disk")
    assert lanes.next_poll_ms() == 0
    assert look(lanes, {1: [delivery(1, 1)]}) == [1]
    assert all_sent(lanes) == [(1, 1)]


def test_an_empty_poll_evicts_the_endpoint() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 0)
    assert look(lanes, {}) == []
    assert not list(lanes.endpoints)
    assert lanes.next_poll_ms() is None


def test_later_deliveries_are_polled_when_due() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 0)
    assert look(lanes, {1: [delivery(1, 1, due_ms=NOW + 50)]}) == []
    assert lanes.next_poll_ms() == NOW + 50
    assert lanes.due_poll(NOW + 49) is None
    assert look(lanes, {1: [delivery(1, 1, due_ms=NOW + 50)]}, NOW + 50) == [1]


def test_one_that_was_timed_out_holds_its_lane_and_its_endpoint_gets_one_turn() -> None:
    lanes = Lanes()
    for number in range(4):
        lanes.offer(delivery(number, number))
    sent = [send(lanes)[0] for _ in range(limits.WEBHOOKS_AT_ONCE_FIRST)]
    finish(lanes, sent[0], timed_out=True)
    assert lanes.next_poll_ms() == NOW + 5000
    lanes.offer(delivery(8, 8))
    lanes.offer(delivery(9, 9))
    for lane in sent[1:]:
        assert not lanes.has_ready_lane
        lanes.finish_attempt(lane, is_done=False, timed_out=True)
    assert send(lanes)[1] == 8
    assert not lanes.has_ready_lane


def test_a_responsive_endpoint_gets_more_turns_up_to_its_limit() -> None:
    lanes = Lanes()
    for number in range(100):
        lanes.offer(delivery(number % 40, number))
    most = 0
    for _ in range(60):
        running = []
        while lanes.has_ready_lane:
            running.append(send(lanes)[0])
        most = max(most, len(running))
        for lane in running:
            finish(lanes, lane)
    assert most == limits.WEBHOOKS_AT_ONCE_PER_ENDPOINT_MAX


def test_more_than_a_lane_holds_is_read_from_disk_again() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 0))
    for order in range(1, limits.LANE_DELIVERIES_MAX + 3):
        lanes.offer(delivery(1, order, due_ms=None))
    for order in range(limits.LANE_DELIVERIES_MAX):
        lane, _, sent = send(lanes)
        assert sent == order
        lanes.finish_attempt(lane, is_done=True, timed_out=False)
        is_more = lanes.recorded(lane, None, is_promoted=False)
        assert is_more is (order == limits.LANE_DELIVERIES_MAX - 1)
    rest = [delivery(1, limits.LANE_DELIVERIES_MAX + number) for number in range(3)]
    lanes.refill(lane, rest)
    assert [order for _, order in all_sent(lanes)] == [each.lane_order for each in rest]
    assert not list(lanes.endpoints)


def test_a_lane_that_changed_on_disk_is_read_again() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    lanes.offer(delivery(1, 2, due_ms=None))
    lanes.invalidate(ACCOUNT, URL, 1)
    assert not lanes.has_ready_lane
    assert lanes.next_poll_ms() == 0
    assert look(lanes, {1: [delivery(1, 2)]}) == [1]
    assert all_sent(lanes) == [(1, 2)]


def test_a_delivery_in_flight_completes_before_its_lane_changes() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    lanes.offer(delivery(1, 2, due_ms=None))
    lane, _, _ = send(lanes)
    lanes.invalidate(ACCOUNT, URL, 1)
    lanes.finish_attempt(lane, is_done=True, timed_out=False)
    assert not lanes.has_ready_lane
    assert lanes.recorded(lane, None, is_promoted=False)  # More is to be read from disk.
    lanes.refill(lane, [delivery(1, 3)])
    assert all_sent(lanes) == [(1, 3)]
    assert not list(lanes.endpoints)


def test_a_replay_is_read_from_disk_while_a_result_of_its_lane_is_unrecorded() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    lane, _, _ = send(lanes)
    lanes.finish_attempt(lane, is_done=True, timed_out=False)
    lanes.schedule_poll((ACCOUNT, URL), 0)
    assert look(lanes, {1: [delivery(1, 9)]}) == []  # It is in memory still.
    assert lanes.recorded(lane, None, is_promoted=False)
    lanes.refill(lane, [delivery(1, 9)])
    assert all_sent(lanes) == [(1, 9)]
    assert not list(lanes.endpoints)


def test_a_replay_to_an_earlier_position_is_found_by_another_poll() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 5))
    lane, _, _ = send(lanes)
    lanes.schedule_poll((ACCOUNT, URL), 0)
    assert look(lanes, {1: [delivery(1, 3)]}) == []
    lanes.finish_attempt(lane, is_done=True, timed_out=False)
    assert lanes.recorded(lane, None, is_promoted=False)
    lanes.refill(lane, [])
    assert look(lanes, {1: [delivery(1, 3)]}) == [1]
    assert all_sent(lanes) == [(1, 3)]
    assert not list(lanes.endpoints)


def test_a_known_head_needs_no_poll() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    lanes.schedule_poll((ACCOUNT, URL), 0)
    assert look(lanes, {1: [delivery(1, 1)]}) == []
    lane, _, _ = send(lanes)
    lanes.finish_attempt(lane, is_done=True, timed_out=False)
    assert not lanes.recorded(lane, None, is_promoted=False)
    assert not list(lanes.endpoints)


def test_a_lane_that_is_not_in_memory_may_change() -> None:
    lanes = Lanes()
    lanes.invalidate(ACCOUNT, URL, 1)
    assert not list(lanes.endpoints)


# --- States ------------------------------------------------------------------------------------


def drained(lanes: Lanes, *orders: int) -> Lane:
    """A lane whose deliveries are all accepted, with results that are not recorded."""
    for order in orders:
        lanes.offer(delivery(1, order))
    lane, _, _ = send(lanes)
    lanes.finish_attempt(lane, is_done=True, timed_out=False)
    for _ in orders[1:]:
        lanes.next_lane()
        lanes.finish_attempt(lane, is_done=True, timed_out=False)
    return lane


def test_a_delivery_that_is_offered_twice_is_sent_once() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    lanes.offer(delivery(1, 1))
    assert all_sent(lanes) == [(1, 1)]
    lanes.offer(delivery(1, 2, due_ms=None))  # Its head is on disk alone.
    assert (lanes.next_lane(), list(lanes.endpoints)) == (None, [])


def test_a_lane_is_recording_until_its_last_result_is_recorded() -> None:
    lanes = Lanes()
    lane = drained(lanes, 1, 2)
    assert (lane.state, lanes.sending) == (LaneState.RECORDING, 0)
    assert not lanes.recorded(lane, None, is_promoted=False)
    assert lane.state is LaneState.RECORDING
    assert not lanes.recorded(lane, None, is_promoted=False)
    assert lane.state is LaneState.ABSENT


def test_a_refill_without_deliveries_leaves_a_lane_recording_that_has_results() -> None:
    lanes = Lanes()
    lane = drained(lanes, 1, 2)
    assert lanes.recorded(lane, None, is_promoted=True)
    assert lane.state is LaneState.REFILLING
    lanes.refill(lane, [])
    assert lane.state is LaneState.RECORDING


def test_a_lane_that_is_invalidated_during_its_refill_is_not_sent_from_it() -> None:
    """A regression: it was queued next to the lane loaded in its place, and the order was lost."""
    lanes = Lanes()
    lane = drained(lanes, 1)
    assert lanes.recorded(lane, None, is_promoted=True)
    lanes.invalidate(ACCOUNT, URL, 1)
    assert lane.state is LaneState.ABSENT
    lanes.refill(lane, [delivery(1, 2)])
    assert not lanes.has_ready_lane
    assert look(lanes, {1: [delivery(1, 3)]}) == [1]
    assert all_sent(lanes) == [(1, 3)]


def test_an_invalidated_lane_with_unrecorded_results_waits_for_them() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    lanes.offer(delivery(1, 2))
    lane, _, _ = send(lanes)
    lanes.finish_attempt(lane, is_done=True, timed_out=False)
    lanes.invalidate_all()
    assert lane.state is LaneState.RECORDING
    assert lanes.recorded(lane, None, is_promoted=False)  # More is to be read from disk.


def test_a_failed_delivery_blocks_its_lane_until_all_results_are_recorded() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    lanes.offer(delivery(1, 2))
    lane, _, _ = send(lanes)
    lanes.finish_attempt(lane, is_done=True, timed_out=False)
    lanes.next_lane()
    lanes.finish_attempt(lane, is_done=False, timed_out=False)
    lanes.offer(delivery(1, 3))
    assert not lanes.recorded(lane, None, is_promoted=False)
    assert (lane.state, lanes.has_ready_lane) == (LaneState.BLOCKED, False)
    assert not lanes.recorded(lane, NOW + 9, is_promoted=False)
    assert (lane.state, lanes.next_poll_ms()) == (LaneState.ABSENT, NOW + 9)


def test_rows_that_were_read_before_they_were_sent_are_not_loaded() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 1)
    endpoint = lanes.due_poll(NOW)
    assert endpoint is not None
    with lanes.loading(endpoint):
        lanes.offer(delivery(1, 1))
        finish(lanes, send(lanes)[0])
        lanes.load(endpoint, 1, [delivery(1, 1)], is_whole=True)
    assert not lanes.has_ready_lane
    assert lanes.next_poll_ms() == 0


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_finished_lane_is_polled_again_if_more_is_on_disk(is_whole: bool) -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 1)
    endpoint = lanes.due_poll(NOW)
    assert endpoint is not None
    with lanes.loading(endpoint):
        lanes.load(endpoint, 1, [], is_whole=is_whole)
    assert lanes.next_poll_ms() == (None if is_whole else 0)


def test_loaded_deliveries_are_appended_to_a_lane_in_memory() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 1)
    endpoint = lanes.due_poll(NOW)
    assert endpoint is not None
    with lanes.loading(endpoint):
        lanes.offer(delivery(1, 1))
        lanes.load(endpoint, 1, [delivery(1, 1), delivery(1, 2)], is_whole=True)
    assert all_sent(lanes) == [(1, 1), (1, 2)]


def test_after_a_failed_read_an_endpoint_is_polled_again() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 1)
    endpoint = lanes.due_poll(NOW)
    assert endpoint is not None
    with pytest.raises(RuntimeError), lanes.loading(endpoint):
        raise RuntimeError
    assert lanes.next_poll_ms() == 0


# --- The schedule of polls ---------------------------------------------------------------------


def test_outdated_polls_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "POLLS_OUTDATED_MAX", 1)
    lanes = Lanes()
    for at_ms in range(NOW, 0, -1):
        lanes.schedule_poll((ACCOUNT, URL), at_ms)
        assert len(lanes._polls) <= 3
    assert lanes.next_poll_ms() == 1
    assert lanes.due_poll(NOW) is not None
    assert lanes.due_poll(NOW) is None


def test_after_the_clock_was_set_back_all_endpoints_are_polled() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), NOW)
    lanes.poll_all()
    endpoint = lanes.due_poll(0)
    assert endpoint is not None
    assert lanes.due_poll(NOW) is None


def test_an_endpoint_that_is_found_without_room_is_searched_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "ENDPOINTS_KNOWN_MAX", 1)
    lanes = Lanes()
    lanes.schedule_found((ACCOUNT, URL), NOW + 5, NOW)
    lanes.schedule_found(("AC2", URL), NOW + 3, NOW)
    assert len(lanes.endpoints) == 1
    assert lanes.next_poll_ms() == NOW + 3


def test_heads_that_are_not_due_or_have_no_room_are_polled_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LANES_PER_REQUEST_MAX", 1)
    monkeypatch.setattr(limits, "WEBHOOKS_AT_ONCE_FIRST", 1)
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 1)
    endpoint = lanes.due_poll(NOW)
    assert endpoint is not None
    with lanes.loading(endpoint):
        heads = [(1, NOW, 1), (1, NOW, 1), (2, NOW, 2)]
        assert lanes.lanes_to_load(endpoint, heads, NOW) == [1]
        assert endpoint.is_due
        assert lanes.lanes_to_load(endpoint, [(1, NOW, 1), (2, NOW + 7, 2)], NOW) == [1]
    assert lanes.next_poll_ms() == 0


def test_after_a_reset_nothing_of_an_account_is_in_memory_and_others_are_sent() -> None:
    lanes = Lanes()
    for lane in range(3):
        lanes.offer(delivery(lane, lane))
    lanes.offer(delivery(7, 7, account="AC2"))
    lanes.schedule_poll((ACCOUNT, "http://later.test/"), NOW + 1000)
    lanes.endpoints.schedule_search(ACCOUNT, NOW + 1000)
    cancelled = lanes.next_lane(lambda account: account == ACCOUNT)
    assert cancelled is not None
    lanes.forget(lambda account_sid: account_sid == ACCOUNT)

    assert [each.key[0] for each in lanes.endpoints] == ["AC2"]
    assert lanes.sending == 0
    assert all_sent(lanes) == [(7, 7)]
    assert lanes.next_poll_ms() in {None, NOW + 1000}
    assert lanes.due_poll(NOW + 2000) is None
    # The account starts again.
    lanes.offer(delivery(1, 1))
    assert all_sent(lanes) == [(1, 1)]
