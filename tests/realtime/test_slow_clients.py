"""A client that reads nothing is disconnected, without an effect on others."""

from __future__ import annotations

import socket as sockets
from typing import TYPE_CHECKING

import pytest
import requests

from tests.realtime.sample_conversation import SampleConversation, connected

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

pytestmark = pytest.mark.embedded  # A socket's outbox does not depend on the database.

BODY = "x" * 30_000
MESSAGES_MAX = 600


def test_a_stalled_client_is_disconnected_and_others_receive_all_events(
    server: Server, api: Api
) -> None:
    sample = SampleConversation.made(api)
    with connected(server, "alice") as stalled, connected(server, "bob") as healthy:
        sample.subscribe(stalled)
        sample.subscribe(healthy)
        # Unless messages are taken out of it, the library stops reading after a few.
        stalled.connection.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        received = 0
        before = _connections(server)
        for number in range(MESSAGES_MAX):
            sample.add_message(BODY)
            event = healthy.next_event("list_item_added")
            assert event["event"]["item_index"] == number
            received += 1
            if number % 20 == 19 and _connections(server) < before:
                break
        assert _connections(server) == before - 1, f"still there after {received} messages"
        sample.add_message("and on")
        assert healthy.next_event("list_item_added")["event"]["item_data"]["text"] == "and on"


def _connections(server: Server) -> float:
    text = requests.get(f"{server.base_url}/metrics", timeout=10).text
    line = next(each for each in text.splitlines() if each.startswith("parlour_connections "))
    return float(line.split()[1])
