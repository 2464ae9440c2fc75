"""Requests through the socket: many at once, large pages, duplicates, disconnecting clients."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks.attack_traffic import RawSocket, request_frame, ws_frame
from tests.attacks.harness import MEBIBYTE, Bounds, healthz, messages, others_unaffected
from tests.support.client import Api
from tests.support.server import Server
from tests.support.twilsock_client import Socket, make_token, request_header, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.twilsock_client import ReceivedFrame

pytestmark = pytest.mark.embedded  # Independent of the database.

COPIES = 50
MISSED = 150
PAGES = 150
LARGE = "x" * 2_000
TYPINGS = 600
LISTENERS = 20
SLOW_READERS = 150
LEAVING = 20
# On the commit before the fix it was more than 2.7 s.
CPU_SECONDS_AFTER = 0.5


@dataclass(frozen=True)
class LargeConversation:
    """A conversation of mallory with large messages, and the names of its objects."""

    server: Server
    sid: str
    token: str
    messages: dict[str, Any]
    channel: dict[str, Any]

    def subscription(self, *copies: tuple[str, dict[str, Any]]) -> bytes:
        """Return a request for subscriptions from the start of the log on."""
        requests = [
            {"object_type": kind, "object_sid": each["sid"], "last_event_id": each["last_event_id"]}
            for kind, each in copies
        ]
        body = {"action": "establish", "correlation_id": 1, "requests": requests}
        return request_frame("POST", "/v4/Subscriptions", body)

    @property
    def page(self) -> bytes:
        """Return a request for the largest page of its messages."""
        path = f"/v3/Lists/{self.messages['sid']}/Items"
        return request_frame("GET", path, params={"PageSize": "100"})


@pytest.fixture(scope="module")
def conversation() -> Iterator[LargeConversation]:
    with Server() as server:
        api = Api(server.base_url, server.account_sid, server.auth_token)
        sid = api.post("/Conversations").expect(201)["sid"]
        for identity in ("mallory", *(f"listener-{number}" for number in range(LISTENERS))):
            api.post(f"/Conversations/{sid}/Participants", Identity=identity).expect(201)
        token = make_token(server, "mallory")
        with Socket.to(server) as socket:
            socket.init(token)
            listed = socket.open("Lists", f"{sid}.messages")
            channel = socket.open("Documents", f"{sid}.channel")
        for number in range(MISSED):
            body = LARGE if number < 100 else "short"
            api.post(f"/Conversations/{sid}/Messages", Author="x", Body=body).expect(201)
        api.close()
        yield LargeConversation(server, sid, token, listed, channel)


def confirmed(raw: RawSocket) -> tuple[list[ReceivedFrame], list[ReceivedFrame]]:
    """Return the replayed frames, and the confirmation frames."""
    replayed: list[ReceivedFrame] = []
    for frame in raw.frames():
        if frame.method == "notification":
            if frame.payload["event_type"].startswith("subscription"):
                return replayed, [frame]
            replayed.append(frame)
    raise AssertionError


@pytest.mark.kind("bytes", by="a user")
@pytest.mark.parametrize("kind", ["list", "document"])
def test_object_named_repeatedly_is_replayed_once(
    conversation: LargeConversation, control: Server, kind: str
) -> None:
    opened = conversation.messages if kind == "list" else conversation.channel
    with others_unaffected(conversation.server, control), RawSocket(conversation.server) as raw:
        raw.init(conversation.token)
        raw.send(conversation.subscription(*[(kind, opened)] * COPIES))
        replayed, (confirmation,) = confirmed(raw)
    received = [event for frame in replayed for event in frame.payload["events"]]
    assert len(received) == (MISSED if kind == "list" else 1)
    assert len(confirmation.payload["events"]) == 1


@pytest.mark.kind("outlived", by="a user")
def test_client_that_disconnects_at_once_costs_no_replay(
    conversation: LargeConversation, control: Server
) -> None:
    asked = conversation.subscription(("list", conversation.messages))
    with others_unaffected(conversation.server, control):
        for _ in range(30):
            with RawSocket(conversation.server) as raw:
                raw.init(conversation.token)
                raw.send(asked * 10)


@pytest.mark.kind("outlived", by="a user")
def test_work_of_disconnected_clients_is_cancelled(
    conversation: LargeConversation, control: Server
) -> None:
    """Log scans, replays and pages, in flight or queued, end with their clients."""
    asked = conversation.subscription(("list", conversation.messages)) * 60 + conversation.page * 20
    with others_unaffected(conversation.server, control):
        raws = [RawSocket(conversation.server) for _ in range(LEAVING)]
        for raw in raws:
            raw.init(conversation.token)
        for raw in raws:
            raw.send(asked)
        for raw in raws:
            raw.socket.close()
    assert cpu_seconds_until_quiet(conversation.server) < CPU_SECONDS_AFTER


def cpu_seconds_until_quiet(server: Server) -> float:
    """Return the processor time that a server spends until it is idle, 10 s at most."""
    begin = last = cpu_seconds(server)
    for _ in range(20):
        time.sleep(0.5)
        now = cpu_seconds(server)
        if now - last <= 0.02:
            break
        last = now
    return last - begin


def cpu_seconds(server: Server) -> float:
    """Return the processor time that a server has spent."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.kind("admission", "bytes", by="a user")
def test_unread_large_pages_wait_for_the_reader(
    conversation: LargeConversation, control: Server
) -> None:
    with others_unaffected(conversation.server, control) as monitor:
        raws = [RawSocket(conversation.server, receive_buffer=4096) for _ in range(4)]
        for raw in raws:
            raw.init(conversation.token)
            raw.send(conversation.page * 300)
        time.sleep(1.0)
        for raw in raws:
            raw.socket.close()
    assert monitor.peak_bytes - monitor.before_bytes < 48 * MEBIBYTE


@pytest.mark.kind("bytes", "shares", by="a user")
@pytest.mark.gate
def test_outboxes_of_many_slow_readers_are_bounded_together(
    conversation: LargeConversation, control: Server
) -> None:
    """Each holds a page of 1 MiB: the slowest are closed, since the pool has 64 MiB for all."""
    api = Api(
        conversation.server.base_url,
        conversation.server.account_sid,
        conversation.server.auth_token,
    )
    sid = api.post("/Conversations").expect(201)["sid"]
    api.post(f"/Conversations/{sid}/Participants", Identity="mallory").expect(201)
    for _ in range(40):
        api.post(f"/Conversations/{sid}/Messages", Body="x" * 30_000).expect(201)
    api.close()
    path = f"/v3/Lists/{sid}.messages/Items"
    asked = request_frame("GET", path, params={"PageSize": "100"}) * 20
    # The assertion is on memory. The cost of 150 concurrent logins for others is a separate
    # matter, and heap fragmentation retains some of what they release.
    bounds = Bounds(p99_seconds=0.5, remaining_bytes=32 * MEBIBYTE)
    with others_unaffected(conversation.server, control, bounds=bounds):
        raws = []
        for _ in range(SLOW_READERS):
            raws.append(RawSocket(conversation.server, receive_buffer=4096))
            raws[-1].init(conversation.token)
            raws[-1].send(asked)
        time.sleep(1.0)
        for raw in raws:
            raw.socket.close()


@pytest.mark.kind("turns", by="a user")
def test_many_requests_in_one_segment_delay_no_other(
    conversation: LargeConversation, control: Server
) -> None:
    with others_unaffected(conversation.server, control), RawSocket(conversation.server) as raw:
        raw.init(conversation.token)
        raw.send(conversation.page * PAGES)
        for _ in range(PAGES):
            raw.receive()


@pytest.mark.kind("bytes", by="a user")
def test_repeated_typing_is_published_at_intervals(
    conversation: LargeConversation, control: Server
) -> None:
    listeners = []
    for number in range(LISTENERS):
        socket = Socket.to(conversation.server)
        socket.init(make_token(conversation.server, f"listener-{number}"))
        roster = socket.open("Maps", f"{conversation.sid}.roster")
        socket.subscribe(("map", roster["sid"], roster["last_event_id"]))
        socket.next_event("subscription_established")
        listeners.append(socket)
    typing = typing_frame(conversation.sid)
    with others_unaffected(conversation.server, control), RawSocket(conversation.server) as raw:
        raw.init(conversation.token)
        raw.send(typing * TYPINGS)
        for _ in range(TYPINGS):
            raw.receive()
    received = [frame for socket in listeners for frame in socket.quiet(0.05)]
    kinds = [frame.header.get("message_type") for frame in received]
    assert kinds.count("twilio.ipmsg.typing_indicator") == LISTENERS
    for socket in listeners:
        socket.connection.close()


def typing_frame(sid: str) -> bytes:
    """Return the request that reports that a user types."""
    header = {
        "id": "TM3",
        "method": "message",
        "payload_type": "application/x-www-form-urlencoded",
        "http_request": {"path": "/Client/v2/Typing", "method": "POST"},
    }
    return ws_frame(written(header, f"ChannelSid={sid}".encode()))


@pytest.mark.kind("bytes", by="a user")
@pytest.mark.parametrize("size", [250_000, 990_000])
def test_bodies_of_many_empty_arrays_delay_no_other(
    conversation: LargeConversation, control: Server, size: int
) -> None:
    body = b'{"x":[' + b"[]," * (size // 3) + b"0]}"
    header = {"id": "TM4", **request_header("POST", "/Client/v2/Users/me")}
    nested = ws_frame(written(header, body))
    with (
        others_unaffected(conversation.server, control, healthz, messages),
        RawSocket(conversation.server) as raw,
    ):
        raw.init(conversation.token)
        for _ in range(6_000_000 // size):
            raw.send(nested)
            raw.receive()
