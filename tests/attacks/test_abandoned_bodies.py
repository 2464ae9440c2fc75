"""Requests with long bodies, reset by their clients while a webhook or a login is pending."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import connect
from tests.attacks.harness import MEBIBYTE, P99_SECONDS, Bounds, healthz, others_unaffected, request
from tests.attacks.test_resetting_clients import reset
from tests.attacks.webhook_receivers import OK, HangingReceiver
from tests.support.client import FORM_TYPE, Api

if TYPE_CHECKING:
    from tests.support.server import Server

# The assertion is on memory: the requests come as fast as one processor can send them.
BOUNDS = Bounds(growth_bytes=40 * MEBIBYTE, p99_seconds=max(0.5, P99_SECONDS))


def send_and_reset(server: Server, sent: bytes, pause: float) -> None:
    """Send a request, and reset the connection shortly afterwards."""
    made = connect(server)
    with contextlib.suppress(OSError):
        made.sendall(sent)
    time.sleep(pause)
    reset(made)


async def approve_late(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Approve after seconds."""
    await asyncio.sleep(4)
    writer.write(OK)


@pytest.mark.kind("bytes", "outlived", by="an account")
def test_long_bodies_are_released_during_a_pre_action_call(
    fresh_server: Server, control: Server
) -> None:
    account = fresh_server.make_account()
    api = Api(fresh_server.base_url, *account)
    chat = api.post("/Conversations").expect(201)["sid"]
    with HangingReceiver(1, approve_late) as receiver:
        api.post(
            "/Configuration/Webhooks", Filters=["onMessageAdd"], PreWebhookUrl=receiver.url(0)
        ).expect(200)
        sent = request(
            "POST",
            f"/v1/Conversations/{chat}/Messages",
            "X-Twilio-Webhook-Enabled: true",
            f"Content-Type: {FORM_TYPE}",
            account=account,
            body=b"Body=hello&Unknown=" + b"x" * 1_000_000,
        )
        with others_unaffected(fresh_server, control, healthz, bounds=BOUNDS):
            for _ in range(150):
                send_and_reset(fresh_server, sent, 0.004)
    api.close()


@pytest.mark.kind("bytes", "outlived", by="anybody")
def test_requests_with_unknown_logins_are_released_while_throttled(
    fresh_server: Server, control: Server
) -> None:
    names = [f"AC{secrets.token_hex(16)}" for _ in range(12)]
    for name in names:
        made = connect(fresh_server)
        for _ in range(12):  # Later logins are throttled.
            made.sendall(request("GET", "/v1/Conversations", account=(name, secrets.token_hex(4))))
            assert made.recv(4096)
        made.close()
    headers = [f"X: {'y' * 300}" for _ in range(90)]
    with others_unaffected(fresh_server, control, healthz, bounds=BOUNDS):
        for number in range(2_400):
            login = names[number % len(names)], secrets.token_hex(8)
            body = b"x" * 34_000
            sent = request("POST", "/v1/Conversations", *headers, account=login, body=body)
            send_and_reset(fresh_server, sent, 0.0003)
