"""Lanes: one delivery of a lane at a time, endpoints in turn, and nobody is forgotten."""

from __future__ import annotations

import pytest

from parlour.delivery.lanes import Lane, Lanes
from parlour.resources.webhook_attempts.store import PENDING, WebhookDelivery
from parlour.vocabulary import limits

NOW = 1000
ACCOUNT = "AC1"
URL = "http://h.test/"


def delivery(
    lane: int,
    order: int,
    *,
    url: str = URL,
    due_ms: int | None = NOW,
    account: str = ACCOUNT,
) -> WebhookDelivery:
    return WebhookDelivery(
        account_sid=account,
        event_sequence=order,
        target_key="k",
        service_sid="IS1",
        conversation_sid=f"CH{lane}",
        event_name="onMessageAdded",
        scope="account",
        webhook_sid=None,
        url=url,
        method="POST",
        retry_limit=None,
        token="t",
        parameters="{}",
        lane=lane,
        lane_order=order,
        state=PENDING,
        retry_count=0,
        due_ms=due_ms,
        date_queued=NOW,
        date_updated=NOW,
    )


def send(lanes: Lanes) -> tuple[Lane, int, int]:
    """Let the next one go: its lane, the lane's number, and its place there."""
    lane = lanes.next_lane()
    assert lane is not None
    return lane, lane.key, lane.waiting[0].lane_order


def finish(lanes: Lanes, lane: Lane, *, timed_out: bool = False) -> None:
    """Its request was taken, or had no answer in time; and that is on disk."""
    lanes.finish_attempt(lane, is_done=not timed_out, timed_out=timed_out)
    lanes.recorded(lane, NOW + 5000 if timed_out else None, is_promoted=False)


def all_sent(lanes: Lanes) -> list[tuple[int, int]]:
    """Everything that can be sent, one after the other."""
    found = []
    while lanes.has_ready_lane:
        lane, key, order = send(lanes)
        found.append((key, order))
        finish(lanes, lane)
    return found


def look(lanes: Lanes, heads: dict[int, list[WebhookDelivery]], now_ms: int = NOW) -> list[int]:
    """One look at the disk, where these lanes are due; the lanes that were loaded."""
    endpoint = lanes.due_poll(now_ms)
    assert endpoint is not None
    found = [(key, queued[0].due_ms or 0, queued[0].lane_order) for key, queued in heads.items()]
    with lanes.loading(endpoint):
        wanted = lanes.lanes_to_load(endpoint, found, now_ms)
        for key in wanted:
            lanes.load(endpoint, key, heads[key], is_whole=True)
    return wanted


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


def test_what_is_loaded_from_disk_and_what_comes_live_share_one_endpoint() -> None:
    """Two endpoints of one key took turns from each other, and one of them waited for ever."""
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 0)
    assert look(lanes, {1: [delivery(1, 1), delivery(1, 2)], 2: [delivery(2, 3)]}) == [1, 2]
    lanes.offer(delivery(3, 4))
    lanes.offer(delivery(1, 5, due_ms=None))
    (endpoint,) = lanes.endpoints
    assert sorted(endpoint.lanes) == [1, 2, 3]
    assert sorted(all_sent(lanes)) == [(1, 1), (1, 2), (1, 5), (2, 3), (3, 4)]
    assert not list(lanes.endpoints)


def test_an_endpoint_that_is_being_loaded_is_not_forgotten() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 0)
    endpoint = lanes.due_poll(NOW)
    assert endpoint is not None
    with lanes.loading(endpoint):
        assert lanes.lanes_to_load(endpoint, [(1, NOW, 1)], NOW) == [1]
        # Meanwhile: something behind a head on disk, and something with nothing before it.
        lanes.offer(delivery(1, 2, due_ms=None))
        lanes.offer(delivery(2, 3))
        lanes.load(endpoint, 1, [delivery(1, 1), delivery(1, 2)], is_whole=True)
    assert list(lanes.endpoints) == [endpoint]
    assert sorted(all_sent(lanes)) == [(1, 1), (1, 2), (2, 3)]


def test_a_look_that_fails_is_made_again() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 0)
    endpoint = lanes.due_poll(NOW)
    assert endpoint is not None
    with pytest.raises(OSError, match="disk"), lanes.loading(endpoint):
        raise OSError("disk")
    assert lanes.next_poll_ms() == 0
    assert look(lanes, {1: [delivery(1, 1)]}) == [1]
    assert all_sent(lanes) == [(1, 1)]


def test_a_look_that_finds_nothing_forgets_the_endpoint() -> None:
    lanes = Lanes()
    lanes.schedule_poll((ACCOUNT, URL), 0)
    assert look(lanes, {}) == []
    assert not list(lanes.endpoints)
    assert lanes.next_poll_ms() is None


def test_what_is_due_later_is_looked_at_then() -> None:
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


def test_an_endpoint_that_answers_gets_more_turns_up_to_its_limit() -> None:
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


def test_what_is_on_its_way_while_its_lane_changes_comes_to_its_end_first() -> None:
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


def test_what_comes_back_while_the_last_of_its_lane_is_not_noted_is_read_from_disk() -> None:
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


def test_what_comes_back_to_an_earlier_place_is_found_by_another_look() -> None:
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


def test_the_head_that_is_known_needs_no_look() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    lanes.schedule_poll((ACCOUNT, URL), 0)
    assert look(lanes, {1: [delivery(1, 1)]}) == []
    lane, _, _ = send(lanes)
    lanes.finish_attempt(lane, is_done=True, timed_out=False)
    assert not lanes.recorded(lane, None, is_promoted=False)
    assert not list(lanes.endpoints)


def test_a_lane_that_nobody_has_in_memory_may_change() -> None:
    lanes = Lanes()
    lanes.invalidate(ACCOUNT, URL, 1)
    assert not list(lanes.endpoints)


# --- Shares of accounts, hosts and URLs --------------------------------------------------------


def send_all(lanes: Lanes) -> list[Lane]:
    """Begin everything that can be sent now."""
    sent = []
    while (lane := lanes.next_lane()) is not None:
        sent.append(lane)
    return sent


def test_an_account_whose_urls_hang_leaves_room_for_others() -> None:
    lanes = Lanes()
    for number in range(3000):
        lanes.offer(delivery(number, number, url=f"http://h{number}.test/"))
    assert len(send_all(lanes)) == limits.WEBHOOKS_AT_ONCE_MAX // 2
    for number in range(100):
        lanes.offer(delivery(number, number, url=f"http://b{number}.test/", account="AC2"))
    assert len(send_all(lanes)) == 100


def test_the_urls_of_one_host_share_what_one_host_may_have() -> None:
    lanes = Lanes()
    for number in range(300):
        lanes.offer(delivery(number, number, url=f"http://h.test/{number}"))
    sent = send_all(lanes)
    assert len(sent) == limits.WEBHOOKS_AT_ONCE_PER_HOST_MAX
    assert len({lane.endpoint.key for lane in sent}) == len(sent)
    # Another port is another host.
    lanes.offer(delivery(900, 900, url="http://h.test:81/"))
    assert [lane.key for lane in send_all(lanes)] == [900]


def test_a_host_that_hangs_is_probed_with_few_requests_and_others_go_on() -> None:
    lanes = Lanes()
    for number in range(600):
        lanes.offer(delivery(number, number, url=f"http://h.test/{number}"))
    sent = send_all(lanes)
    for lane in sent:
        finish(lanes, lane, timed_out=True)
    # Those that are not known yet, and from now on also what is retried.
    assert len(send_all(lanes)) == limits.WEBHOOKS_AT_ONCE_PER_HOST_MIN
    for _ in range(len(sent)):
        endpoint = lanes.due_poll(NOW + 5000)
        assert endpoint is not None
        key = int(endpoint.key[1].rpartition("/")[2])
        with lanes.loading(endpoint):
            assert lanes.lanes_to_load(endpoint, [(key, NOW, key)], NOW + 5000) == [key]
            again = delivery(key, key, url=endpoint.key[1])
            lanes.load(endpoint, key, [again], is_whole=True)
    assert len(send_all(lanes)) == limits.PROBES_PER_HOST_MAX
    lanes.offer(delivery(900, 900, url="http://well.test/"))
    assert [lane.key for lane in send_all(lanes)] == [900]


def test_a_host_that_answers_again_gets_its_share_back() -> None:
    lanes = Lanes()
    for number in range(64):
        lanes.offer(delivery(number, number, url=f"http://h.test/{number}"))
    first = send_all(lanes)
    for lane in first[1:]:
        finish(lanes, lane, timed_out=True)
    finish(lanes, first[0])
    begun = []
    for _ in range(8):
        sent = send_all(lanes)
        begun.append(len(sent))
        for lane in sent:
            finish(lanes, lane)
    assert begun[0] <= limits.WEBHOOKS_AT_ONCE_PER_HOST_MIN + 1
    assert max(begun) == limits.WEBHOOKS_AT_ONCE_PER_HOST_MAX


def test_lanes_of_one_account_leave_memory_for_others() -> None:
    lanes = Lanes()
    for number in range(2 * limits.LANES_MAX):
        url = f"http://h{number}.test/"
        lanes.offer(delivery(number, number, url=url))
    in_memory = sum(len(each.lanes) for each in lanes.endpoints)
    assert in_memory == limits.LANES_MAX // 2
    # Those that found no room wait for it, and cost no look at the disk until then.
    assert lanes.due_poll(NOW) is None
    lanes.offer(delivery(1, 1, url="http://b.test/", account="AC2"))
    assert lanes.endpoints.get(("AC2", "http://b.test/")) is not None
    assert any(lane.endpoint.key[0] == "AC2" for lane in send_all(lanes))


def test_endpoints_that_wait_for_room_are_looked_at_when_there_is_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LANES_MAX", 4)
    lanes = Lanes()
    for number in range(5):
        lanes.offer(delivery(number, number, url=f"http://h{number}.test/"))
    assert lanes.due_poll(NOW) is None
    assert lanes.next_poll_ms() is None
    lane = lanes.next_lane()
    assert lane is not None
    finish(lanes, lane)
    assert lanes.next_poll_ms() == 0
    assert look(lanes, {2: [delivery(2, 2, url="http://h2.test/")]}) == [2]


def test_accounts_take_turns_at_the_disk() -> None:
    lanes = Lanes()
    for number in range(500):
        lanes.schedule_poll(("AC1", f"http://h{number}.test/"), 0)
    lanes.schedule_poll(("AC2", URL), 0)
    looked = []
    for _ in range(4):
        endpoint = lanes.due_poll(NOW)
        assert endpoint is not None
        looked.append(endpoint.key[0])
        with lanes.loading(endpoint):
            assert lanes.lanes_to_load(endpoint, [], NOW) == []
    assert "AC2" in looked[:2]


def test_nothing_is_left_of_endpoints_that_are_done() -> None:
    lanes = Lanes()
    for number in range(40):
        url = f"http://h{number % 7}.test/{number % 11}"
        lanes.offer(delivery(number, number, url=url, account=f"AC{number % 3}"))
    for round_ in range(3):
        for lane in send_all(lanes):
            finish(lanes, lane, timed_out=round_ == 0)
    while (endpoint := lanes.due_poll(NOW + 10_000)) is not None:
        with lanes.loading(endpoint):
            assert lanes.lanes_to_load(endpoint, [], NOW) == []
    all_sent(lanes)
    assert not list(lanes.endpoints)
    assert lanes._shares.requests.children == {}
    assert lanes._shares.lanes.children == {}
