"""Bytes that a socket buffers, in either direction, are reserved in the server's pool."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
import requests

from tests.attacks.attack_traffic import BINARY, CONTINUATION, RawSocket, request_frame, ws_frame
from tests.realtime.sample_conversation import SampleConversation, connected
from tests.support.server import Server
from tests.support.twilsock_client import make_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Api

pytestmark = pytest.mark.embedded  # A socket's buffers do not depend on the database.

PART_BYTES = 4_000
PARTS = 100
BODY = "x" * 30_000
# More than the kernel buffers for a client that reads nothing.
MISSED = 200
HELD_MESSAGES = 12
_FIGURE = re.compile(r"^parlour_buffer_bytes\{[^}]*\} (\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Return a separate server: no other client buffers anything."""
    with Server() as running:
        yield running


def buffered(server: Server) -> float:
    """Return the bytes that the pool counts."""
    text = requests.get(f"{server.base_url}/metrics", timeout=10).text
    return sum(float(figure) for figure in _FIGURE.findall(text))


def until_buffered(server: Server, least: float, most: float = float("inf")) -> float:
    """Wait until so many bytes are counted; return the last value."""
    for _ in range(40):
        found = buffered(server)
        if least <= found <= most:
            break
        time.sleep(0.05)
    return found


def test_small_parts_of_a_message_are_counted(server: Server, api: Api) -> None:
    del api
    with RawSocket(server) as raw:
        raw.init(make_token(server, "alice"))
        raw.send(ws_frame(bytes(PART_BYTES), BINARY, is_final=False))
        for _ in range(PARTS - 1):
            raw.send(ws_frame(bytes(PART_BYTES), CONTINUATION, is_final=False))
            time.sleep(0.001)  # So that they do not queue up, and are not counted before.
        assert until_buffered(server, PARTS * PART_BYTES) >= PARTS * PART_BYTES
    assert until_buffered(server, 0, 0) == 0


def test_held_back_notifications_are_counted(server: Server, api: Api) -> None:
    sample = SampleConversation.made(api)
    for _ in range(MISSED):
        sample.add_message(BODY)
    with connected(server, "alice") as socket:
        listed = socket.open("Lists", f"{sample.sid}.messages")
    wanted = {"object_type": "list", "object_sid": listed["sid"], "last_event_id": 0}
    body = {"action": "establish", "correlation_id": 1, "requests": [wanted]}
    with RawSocket(server, receive_buffer=4096) as raw:
        raw.init(make_token(server, "alice"))
        raw.send(request_frame("POST", "/v4/Subscriptions", body))
        assert until_buffered(server, 64 << 10) >= 64 << 10
        time.sleep(1.0)  # The replay is blocked by its client from here on.
        stalled = buffered(server)
        for _ in range(HELD_MESSAGES):
            sample.add_message(BODY)
        held = HELD_MESSAGES * len(BODY)
        assert until_buffered(server, stalled + held) >= stalled + held
    assert until_buffered(server, 0, 0) == 0
