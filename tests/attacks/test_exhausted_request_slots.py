"""Accounts that occupy all request slots with pre-action webhooks that hang."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import connect
from tests.attacks.conftest import PLACES
from tests.attacks.harness import healthz, messages, others_unaffected, request
from tests.attacks.webhook_receivers import HangingReceiver
from tests.support.client import Api

if TYPE_CHECKING:
    from tests.support.server import Server


def hanging_post(server: Server, url: str) -> bytes:
    """Return a request of a new account that waits for its pre-action webhook."""
    account = server.make_account()
    api = Api(server.base_url, *account)
    chat = api.post("/Conversations").expect(201)["sid"]
    api.post(
        "/Configuration/Webhooks",
        Filters=["onMessageAdd"],
        PreWebhookUrl=url,
    ).expect(200)
    api.close()
    path = f"/v1/Conversations/{chat}/Messages"
    return request(
        "POST", path, "X-Twilio-Webhook-Enabled: true", account=account, form={"Body": "x"}
    )


@pytest.mark.kind("shares", by="two accounts")
def test_two_accounts_that_occupy_all_slots_do_not_block_others(
    narrow_server: Server, control: Server
) -> None:
    with HangingReceiver(1) as receiver, ExitStack() as stack:
        posts = [hanging_post(narrow_server, receiver.url(number)) for number in range(2)]
        with others_unaffected(narrow_server, control, healthz, messages):
            sockets = [stack.enter_context(connect(narrow_server)) for _ in range(2 * PLACES)]
            for number, each in enumerate(sockets):
                each.sendall(posts[number % 2])
            time.sleep(1)
            refused = 0
            for each in sockets:
                each.settimeout(0.01)
                try:
                    refused += each.recv(4096).startswith((b"HTTP/1.1 429 ", b"HTTP/1.1 503 "))
                except TimeoutError:
                    continue
            # Each request that is not rejected occupies a slot; an innocent one may have had one.
            assert PLACES <= refused <= PLACES + 2
