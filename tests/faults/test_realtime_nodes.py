"""Clients on different nodes: each receives events of the other node, with and without Redis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_nodes import api_of
from tests.realtime.sample_conversation import SampleConversation, connected
from tests.support.cluster import Cluster
from tests.support.redis_server import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.postgres_server import Postgres

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("nodes")]

LATE_SECONDS_MAX = 2.0


class Two:
    """Two nodes of one installation."""

    def __init__(self, nodes: Cluster, redis: Redis) -> None:
        self.first, self.second = nodes.servers
        self.redis = redis
        self.api: Api = api_of(self.first)


@pytest.fixture(scope="module")
def two(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two nodes with a Redis, for the tests of this file."""
    folder = tmp_path_factory.mktemp("nodes")
    with Redis() as redis, Cluster(postgres, folder, 2, {"PARLOUR_REDIS": redis.url}) as nodes:
        found = Two(nodes, redis)
        yield found
        found.api.close()


def test_change_on_one_node_is_received_on_the_other(two: Two) -> None:
    sample = SampleConversation.made(two.api)
    with connected(two.first, "alice") as here, connected(two.second, "bob") as there:
        sample.subscribe(here)
        sample.subscribe(there)
        for number in range(20):
            sample.add_message(str(number))
            for socket in (here, there):
                received = socket.next_event("list_item_added", seconds=LATE_SECONDS_MAX)
                assert received["event"]["item_data"]["text"] == str(number)


def test_change_without_redis_is_received_later(two: Two) -> None:
    sample = SampleConversation.made(two.api)
    with connected(two.second, "bob") as there:
        sample.subscribe(there)
        two.redis.kill()
        try:
            for number in range(5):
                began = time.monotonic()
                sample.add_message(str(number))
                received = there.next_event("list_item_added", seconds=LATE_SECONDS_MAX)
                assert received["event"]["item_data"]["text"] == str(number)
                assert time.monotonic() - began < LATE_SECONDS_MAX
        finally:
            two.redis.start()


def test_typing_is_published_on_every_node_except_to_its_sender(two: Two) -> None:
    sample = SampleConversation.made(two.api)
    with connected(two.first, "alice") as here, connected(two.second, "bob") as there:
        sample.subscribe(here)
        sample.subscribe(there)
        # A node receives typing once it has subscribed; typing may be lost before that.
        is_received = False
        for _ in range(10):
            header = {
                "method": "message",
                "payload_type": "application/x-www-form-urlencoded",
                "http_request": {"path": "/Client/v2/Typing", "method": "POST", "params": {}},
            }
            frame_id = here.send(header, f"ChannelSid={sample.sid}".encode())
            assert here.reply_to(frame_id).header["http_status"]["code"] == 200
            frames = there.quiet(0.5)
            is_received = any(
                frame.header.get("message_type") == "twilio.ipmsg.typing_indicator"
                and frame.payload["identity"] == "alice"
                and frame.payload["channel_sid"] == sample.sid
                for frame in frames
            )
            if is_received:
                break
        assert is_received
        assert not any("typing" in str(frame.header) for frame in here.quiet())


def test_client_that_changes_its_node_misses_nothing(two: Two) -> None:
    sample = SampleConversation.made(two.api)
    with connected(two.first, "alice") as here:
        opened = sample.subscribe(here)
        sample.add_message("heard")
        number = here.next_event("list_item_added")["event"]["id"]
    missed = [sample.add_message(f"missed {each}")["sid"] for each in range(5)]
    with connected(two.second, "alice") as there:
        there.subscribe(("list", opened["messages"]["sid"], number))
        received: list[str] = []
        while len(received) < len(missed):
            event = there.next_event("list_item_added")
            # Those that this node reads after the subscription come one by one.
            events = event.get("events") or [event["event"]]
            received += [each["item_data"]["sid"] for each in events]
        assert received == missed


def test_removed_member_receives_no_events_on_any_node(two: Two) -> None:
    sample = SampleConversation.made(two.api)
    with connected(two.second, "bob") as there:
        sample.subscribe(there)
        two.api.delete(f"{sample.path}/Participants/bob").expect(204)
        there.next_event("map_item_removed", seconds=LATE_SECONDS_MAX)
        there.quiet()
        sample.add_message("secret", author="alice")
        assert [frame for frame in there.quiet(1.0) if frame.method == "notification"] == []


def test_starting_node_sets_no_user_offline(two: Two) -> None:
    service_sid = two.api.post("/Services", FriendlyName="reachable").expect(201)["sid"]
    two.api.post(f"/Services/{service_sid}/Configuration", ReachabilityEnabled="true").expect(200)
    service = two.api.service(service_sid)
    with connected(two.second, "seen", ServiceSid=service_sid):
        deadline = time.monotonic() + 5
        while not service.get("/Users/seen").expect(200)["is_online"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        two.first.restart()
        assert service.get("/Users/seen").expect(200)["is_online"] is True
    service.close()
