"""Clients that disconnect while they subscribe leak nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import RawSocket, request_frame
from tests.attacks.harness import MEBIBYTE, Bounds, others_unaffected
from tests.support.client import Api
from tests.support.twilsock_client import Socket, make_token

if TYPE_CHECKING:
    from tests.support.server import Server

pytestmark = pytest.mark.embedded  # Independent of the database.

VANISHING = 400
# On the commit before the fix, each leaked 27 to 30 KiB: 11 MiB for this many.
BOUNDS = Bounds(remaining_bytes=4 * MEBIBYTE)


@pytest.mark.kind("outlived", by="a user")
def test_clients_that_disconnect_while_subscribing_leak_nothing(
    fresh_server: Server, control: Server
) -> None:
    server = fresh_server
    api = Api(server.base_url, server.account_sid, server.auth_token)
    sid = api.post("/Conversations").expect(201)["sid"]
    api.post(f"/Conversations/{sid}/Participants", Identity="mallory").expect(201)
    for number in range(20):
        api.post(f"/Conversations/{sid}/Messages", Body=str(number)).expect(201)
    api.close()
    token = make_token(server, "mallory")
    with Socket.to(server) as socket:
        socket.init(token)
        names = {"Lists": "messages", "Maps": "roster", "Documents": "channel"}
        opened = [(kind, socket.open(kind, f"{sid}.{name}")) for kind, name in names.items()]
    body = {
        "action": "establish",
        "requests": [
            {"object_type": kind.lower()[:-1], "object_sid": each["sid"], "last_event_id": 0}
            for kind, each in opened
        ],
    }
    asked = request_frame("POST", "/v4/Subscriptions", body)

    def vanish(count: int) -> None:
        for _ in range(count):
            with RawSocket(server) as raw:
                raw.init(token)
                raw.send(asked)

    vanish(50)  # Warms up all permanent caches.
    with others_unaffected(server, control, bounds=BOUNDS):
        vanish(VANISHING)
