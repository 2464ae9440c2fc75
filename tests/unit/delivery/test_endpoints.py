"""Endpoints: the concurrent requests of each, and the shares of accounts, hosts and URLs."""

from __future__ import annotations

import pytest

from parlour.delivery.lanes import Lane, Lanes
from parlour.delivery.states import DeliveryState, EndpointState
from parlour.vocabulary import limits
from tests.unit.delivery.lane_setup import NOW, URL, all_sent, delivery, finish, look, send
from tests.unit.delivery.term_setup import result_of


def send_all(lanes: Lanes) -> list[Lane]:
    """Start everything that can be sent now."""
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


def test_urls_of_one_host_share_its_limit() -> None:
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
    # Unknown ones, and from now on also retries.
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


def test_a_recovered_host_gets_its_share_back() -> None:
    lanes = Lanes()
    for number in range(64):
        lanes.offer(delivery(number, number, url=f"http://h.test/{number}"))
    first = send_all(lanes)
    for lane in first[1:]:
        finish(lanes, lane, timed_out=True)
    finish(lanes, first[0])
    started = []
    for _ in range(8):
        sent = send_all(lanes)
        started.append(len(sent))
        for lane in sent:
            finish(lanes, lane)
    assert started[0] <= limits.WEBHOOKS_AT_ONCE_PER_HOST_MIN + 1
    assert max(started) == limits.WEBHOOKS_AT_ONCE_PER_HOST_MAX


def test_lanes_of_one_account_leave_memory_for_others() -> None:
    lanes = Lanes()
    for number in range(2 * limits.LANES_MAX):
        url = f"http://h{number}.test/"
        lanes.offer(delivery(number, number, url=url))
    in_memory = sum(len(each.lanes) for each in lanes.endpoints)
    assert in_memory == limits.LANES_MAX // 2
    # Lanes without room wait for it, and cost no read from disk until then.
    assert lanes.due_poll(NOW) is None
    lanes.offer(delivery(1, 1, url="http://b.test/", account="AC2"))
    assert lanes.endpoints.get(("AC2", "http://b.test/")) is not None
    assert any(lane.endpoint.key[0] == "AC2" for lane in send_all(lanes))


def test_endpoints_without_room_are_polled_when_there_is_room(
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


def test_the_slots_in_use_of_an_endpoint_that_changes_sides_are_released_on_the_old_side() -> None:
    lanes = Lanes()
    for number in range(3):
        lanes.offer(delivery(number, number))
    sent = [send(lanes)[0] for _ in range(3)]
    for lane in sent:
        lanes.finish_attempt(lane, is_done=False, timed_out=True)
        lanes.recorded(lane, NOW + 5000, is_promoted=False)
    assert lanes._shares.requests.in_use == 0
    assert lanes._shares.lanes.in_use == 0


def ends_in_time(lanes: Lanes, lane: Lane, state: DeliveryState) -> tuple[EndpointState, int, int]:
    """The state, concurrency and host limit of an endpoint after an attempt that did not time out.

    ``state``: the state of its delivery after it. The limit is the one of the answering side.
    """
    assert lane.request_share is not None
    host = lane.request_share.parent
    assert host is not None
    result = result_of(lane.waiting[0], state=state)
    lanes.finish_attempt(lane, is_done=result.is_done, timed_out=result.timed_out)
    return lane.endpoint.state, lane.endpoint.allowed, host.limit


FIRST, HOST = limits.WEBHOOKS_AT_ONCE_FIRST, limits.WEBHOOKS_AT_ONCE_PER_HOST_MAX


@pytest.mark.parametrize(
    ("state", "of_answering", "of_hanging"),
    [
        (DeliveryState.DELIVERED, (FIRST + 1, HOST), (EndpointState.ANSWERING, 2, HOST // 2 + 1)),
        (DeliveryState.STOPPED, (FIRST + 1, HOST), (EndpointState.ANSWERING, 2, HOST // 2 + 1)),
        (DeliveryState.FAILED, (FIRST + 1, HOST), (EndpointState.ANSWERING, 2, HOST // 2 + 1)),
        (DeliveryState.PENDING, (FIRST, HOST), (EndpointState.HANGING, 1, HOST // 2)),
    ],
)
def test_an_attempt_in_time_makes_its_endpoint_answering_only_if_it_ends_the_delivery(
    state: DeliveryState,
    of_answering: tuple[int, int],
    of_hanging: tuple[EndpointState, int, int],
) -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    answering = ends_in_time(lanes, send(lanes)[0], state)
    assert answering == (EndpointState.ANSWERING, *of_answering)

    lanes = Lanes()
    for number in range(2):
        lanes.offer(delivery(number, number))
    timed_out, in_time = [send(lanes)[0] for _ in range(2)]
    lanes.finish_attempt(timed_out, is_done=False, timed_out=True)
    assert ends_in_time(lanes, in_time, state) == of_hanging


def test_a_last_attempt_that_times_out_makes_its_endpoint_hanging() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1))
    lane = send(lanes)[0]
    result = result_of(lane.waiting[0], state=DeliveryState.FAILED, timed_out=True)
    lanes.finish_attempt(lane, is_done=result.is_done, timed_out=result.timed_out)
    assert (lane.endpoint.state, lane.endpoint.allowed) == (EndpointState.HANGING, 1)


def test_a_url_that_cannot_be_requested_is_a_host_of_its_own() -> None:
    lanes = Lanes()
    lanes.offer(delivery(1, 1, url="no url"))
    assert all_sent(lanes) == [(1, 1)]


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_cancelled_request_releases_its_slot_wherever_it_was_occupied(
    is_moved: bool,
) -> None:
    lanes = Lanes()
    for number in range(2):
        lanes.offer(delivery(number, number))
    first, second = send_all(lanes)
    endpoint, share = first.endpoint, first.request_share
    assert share is not None
    if is_moved:
        finish(lanes, second, timed_out=True)
    endpoint.drop_request(share)
    assert endpoint.sending == (0 if is_moved else 1)
    assert lanes.sending == endpoint.sending
