"""Requests with large payloads through sockets, while a pre-action webhook delays them."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import RawSocket, request_frame
from tests.attacks.harness import MEBIBYTE, healthz, messages, others_unaffected
from tests.attacks.webhook_receivers import HangingReceiver, never_respond
from tests.support.client import Api
from tests.support.server import Server
from tests.support.twilsock_client import make_token

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.embedded  # Independent of the database.

USERS = 10
REQUESTS = 15
# The requests that one connection may have in flight, one frame more, and its read-ahead.
SOCKET_BYTES = 2 * MEBIBYTE


@pytest.fixture
def server_with_hanging_webhook() -> Iterator[tuple[Server, str]]:
    """A server whose account has a pre-action webhook that hangs, and a shared conversation."""
    with Server() as server, HangingReceiver(1, never_respond) as receiver:
        api = Api(server.base_url, server.account_sid, server.auth_token)
        sid = api.post("/Conversations").expect(201)["sid"]
        for number in range(USERS):
            api.post(f"/Conversations/{sid}/Participants", Identity=f"user-{number}").expect(201)
        hanging = {"Filters": ["onMessageAdd"], "PreWebhookUrl": receiver.url(0)}
        api.post("/Configuration/Webhooks", **hanging).expect(200)
        api.close()
        yield server, sid


@pytest.mark.kind("bytes", by="a user")
@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "leaves"])
def test_payloads_of_requests_in_flight_are_not_retained(
    server_with_hanging_webhook: tuple[Server, str], control: Server, leaves: bool
) -> None:
    server, sid = server_with_hanging_webhook
    body = {"body": "hello", "x": "x" * 500_000}
    frame = request_frame("POST", f"/Client/v2/Conversations/{sid}/Messages", body)
    with others_unaffected(server, control, healthz, messages) as monitor, ExitStack() as stack:
        for number in range(USERS):
            raw = stack.enter_context(RawSocket(server))
            raw.init(make_token(server, f"user-{number}"))
            raw.socket.settimeout(0.3)
            with suppress(TimeoutError):
                raw.send(frame * REQUESTS)
            if leaves:
                raw.socket.close()
        time.sleep(0.5)
    assert monitor.peak_bytes - monitor.before_bytes < USERS * SOCKET_BYTES
