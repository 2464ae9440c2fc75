"""Replies and notifications of one connection leave in the order of the event log."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.realtime.sample_conversation import SampleConversation, connected
from tests.support.machine_pressure import Stopwatch
from tests.support.twilsock_client import ReceivedFrame, Socket, request_header, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api
    from tests.support.server import Server

PAGES, MESSAGES_MIN = 40, 5
SECONDS_MAX = 15.0
BURST = 80


@pytest.fixture
def sample(api: Api) -> SampleConversation:
    return SampleConversation.made(api)


@pytest.fixture
def alice(server: Server, sample: SampleConversation) -> Iterator[Socket]:
    """Return a connection subscribed to the conversation, which acknowledges on request."""
    with connected(server, "alice") as socket:
        sample.subscribe(socket)
        socket.quiet()
        socket.acknowledges = False
        yield socket


def acknowledge(socket: Socket, frame: ReceivedFrame) -> None:
    header = {"method": "reply", "id": frame.header["id"], "status": {"code": 200, "status": "OK"}}
    socket.connection.send(written(header))


def send_request(
    socket: Socket, method: str, path: str, payload: bytes = b"", **params: str
) -> str:
    return socket.send(request_header(method, path, params), payload)


def before_reply(
    socket: Socket, frame_id: str, *, acknowledges: bool = True
) -> list[ReceivedFrame]:
    """Return all frames up to a reply, acknowledged on arrival; the reply is the last."""
    frames: list[ReceivedFrame] = []
    while not frames or frames[-1].header["id"] != frame_id:
        frames.append(socket.receive())
        if frames[-1].method != "reply" and acknowledges:
            acknowledge(socket, frames[-1])
    return frames


def kinds(frames: list[ReceivedFrame]) -> list[str]:
    return [
        frame.payload["event_type"] if frame.method == "notification" else frame.method
        for frame in frames
    ]


def replied_without_ping(socket: Socket, frame_id: str) -> bool:
    """Return whether a reply arrives before any notification has been acknowledged."""
    notified = [socket.receive(), socket.receive()]
    others = [each for each in notified if each.method != "reply"]
    for frame in others:
        acknowledge(socket, frame)
    rest = [] if notified[-1].header["id"] == frame_id else before_reply(socket, frame_id)
    return "ping" not in kinds(rest)


def send_message(socket: Socket, sample: SampleConversation) -> str:
    return send_request(socket, "POST", f"/Client/v2{sample.path}/Messages", b'{"body": "mine"}')


def newest_index(reply: ReceivedFrame) -> int:
    items: list[dict[str, Any]] = reply.payload["items"]
    return max((item["index"] for item in items), default=-1)


def newest_page(socket: Socket, sample: SampleConversation) -> str:
    path = f"/v3/Lists/{sample.sid}.messages/Items"
    return send_request(socket, "GET", path, Order="desc", PageSize="1")


def test_reply_to_a_command_follows_the_ping_behind_its_events(
    alice: Socket, sample: SampleConversation
) -> None:
    frames = before_reply(alice, send_message(alice, sample))
    assert kinds(frames) == ["list_item_added", "document_updated", "ping", "ping", "reply"]
    assert frames[-1].header["http_status"]["code"] == 201


def test_second_ping_is_sent_once_the_first_is_acknowledged(
    alice: Socket, sample: SampleConversation
) -> None:
    sent = send_message(alice, sample)
    first = [alice.receive() for _ in range(3)]
    assert kinds(first) == ["list_item_added", "document_updated", "ping"]
    # This frame comes before the second ping, however long the acknowledgement takes.
    sample.add_message("meanwhile")
    others = [alice.receive(), alice.receive()]
    assert kinds(others) == ["list_item_added", "document_updated"]
    for frame in (*first, *others):
        acknowledge(alice, frame)
    assert kinds(before_reply(alice, sent)) == ["ping", "reply"]


def test_a_page_follows_the_ping_after_its_contents(
    alice: Socket, sample: SampleConversation
) -> None:
    sample.add_message("new")
    pushed = [alice.receive(), alice.receive()]
    assert kinds(pushed) == ["list_item_added", "document_updated"]
    page = newest_page(alice, sample)
    for frame in pushed:
        acknowledge(alice, frame)
    frames = before_reply(alice, page)
    assert kinds(frames) == ["ping", "ping", "reply"]
    assert newest_index(frames[-1]) == 0
    # All notifications were processed: the same page again waits for none.
    assert kinds(before_reply(alice, newest_page(alice, sample))) == ["reply"]


def test_page_of_another_object_waits_for_nothing(
    alice: Socket, sample: SampleConversation
) -> None:
    roster = f"/v3/Maps/{sample.sid}.roster/Items"
    assert kinds(before_reply(alice, send_request(alice, "GET", roster))) == ["reply"]
    sample.add_message("new")
    assert replied_without_ping(alice, send_request(alice, "GET", roster))


def test_page_that_waits_for_its_client_holds_no_other_connection_back(
    server: Server, alice: Socket, sample: SampleConversation
) -> None:
    with connected(server, "bob") as bob:
        sample.subscribe(bob)
        bob.quiet()
        sample.add_message("shown")
        pushed = [alice.receive(), alice.receive()]
        page = newest_page(alice, sample)
        assert kinds([alice.receive()]) == ["ping"]
        sample.add_message("meanwhile")
        # It is sent to bob while alice has acknowledged nothing, and to alice after her page.
        added = [bob.next_event("list_item_added") for _ in range(2)]
        assert [each["event"]["item_index"] for each in added] == [0, 1]
        for frame in pushed:
            acknowledge(alice, frame)
        *others, reply = before_reply(alice, page)
        assert set(kinds(others)) <= {"ping", "document_updated"}
        assert newest_index(reply) == 0


def test_pages_have_their_place_among_notifications(
    alice: Socket, sample: SampleConversation
) -> None:
    done = threading.Event()

    def conversation() -> None:
        while not done.is_set():
            sample.add_message("on and on")

    talker = threading.Thread(target=conversation)
    talker.start()
    watch = Stopwatch()
    notified, pages = -1, 0
    try:
        # On a busy machine many pages may pass before the first message.
        while pages < PAGES or notified < MESSAGES_MIN:
            *others, reply = before_reply(alice, newest_page(alice, sample))
            added = [each for each in others if kinds([each]) == ["list_item_added"]]
            notified = max([notified, *(each.payload["event"]["item_index"] for each in added)])
            assert newest_index(reply) == notified
            pages += 1
            assert not watch.is_over(SECONDS_MAX)
    finally:
        done.set()
        talker.join()


def test_client_that_acknowledges_nothing_is_waited_for_once(
    alice: Socket, sample: SampleConversation
) -> None:
    first = before_reply(alice, send_message(alice, sample), acknowledges=False)
    assert kinds(first) == ["list_item_added", "document_updated", "ping", "reply"]
    for _ in range(2):
        frames = before_reply(alice, send_message(alice, sample), acknowledges=False)
        assert kinds(frames) == ["list_item_added", "document_updated", "reply"]


def test_concurrent_commands_are_all_answered_after_their_events(
    alice: Socket, sample: SampleConversation
) -> None:
    sent = [send_message(alice, sample) for _ in range(BURST)]
    indexes: dict[str, int] = {}
    notified: set[int] = set()
    while len(indexes) < len(sent):
        frame = alice.receive()
        if frame.method == "reply":
            indexes[frame.header["id"]] = frame.payload["index"]
            assert frame.payload["index"] in notified
        else:
            acknowledge(alice, frame)
        if kinds([frame]) == ["list_item_added"]:
            notified.add(frame.payload["event"]["item_index"])
    assert sorted(indexes.values()) == list(range(BURST))


def test_refused_command_waits_for_nothing(alice: Socket, sample: SampleConversation) -> None:
    sample.add_message("new")
    again = b'{"identity": "bob"}'
    assert replied_without_ping(
        alice, send_request(alice, "POST", f"/Client/v2{sample.path}/Participants", again)
    )


def test_connection_without_subscriptions_gets_its_reply_at_once(
    server: Server, sample: SampleConversation
) -> None:
    with connected(server, "alice") as socket:
        socket.acknowledges = False
        assert kinds(before_reply(socket, send_message(socket, sample))) == ["reply"]
