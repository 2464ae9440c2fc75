"""HTTP clients that reset connections: their work is cancelled, and no change is partial."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import connect
from tests.attacks.harness import P99_SECONDS, Bounds, api_of, messages, others_unaffected, request
from tests.attacks.webhook_receivers import OK, HangingReceiver
from tests.support.client import Api
from tests.support.large_conversations import large_page

if TYPE_CHECKING:
    from tests.support.server import Server

CLIENTS = 20
READERS = 4
PIPELINED = 100
ROUNDS = 4
# The timers of an idle server use a few milliseconds.
IDLE_SHARE_MAX = 0.3
ANSWER_SECONDS = 0.6
# The assertion is on cancellation. The changes come in a burst with the responses.
PRE_ACTION_BOUNDS = Bounds(p99_seconds=max(0.2, P99_SECONDS))


def reset(made: socket.socket) -> None:
    """Close a connection with a reset, which drops unsent data."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    made.close()


def processor_seconds(server: Server) -> float:
    """Return the processor time that the server has used."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.kind("outlived", "turns", by="an account")
def test_queued_pages_of_clients_that_reset_are_not_read(
    fresh_server: Server, control: Server
) -> None:
    server = fresh_server
    account = server.make_account()
    path = large_page(api_of(server, *account), messages=45, characters=2_000)
    asked = request("GET", path, account=account) * PIPELINED

    with others_unaffected(server, control, messages):
        for _ in range(ROUNDS):
            clients = [connect(server) for _ in range(READERS)]
            for each in clients:
                each.sendall(asked)
            time.sleep(0.05)
            for each in clients:
                reset(each)
            time.sleep(0.2)

    # Reading all requested pages would take seconds.
    before = processor_seconds(server)
    time.sleep(0.5)
    used = processor_seconds(server) - before
    print(f"{used:.2f} s of the processor in 0.5 s after the last reset")
    assert used < IDLE_SHARE_MAX * 0.5


async def approve_late(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Approve after a second or more."""
    await asyncio.sleep(ANSWER_SECONDS)
    writer.write(OK)


@pytest.mark.kind("outlived", by="an account")
def test_reset_during_a_pre_action_call_leaves_whole_changes_and_no_slot(
    fresh_server: Server, control: Server
) -> None:
    server = fresh_server
    account = server.make_account()
    api = Api(server.base_url, *account)
    chat = api.post("/Conversations").expect(201)["sid"]

    with HangingReceiver(1, approve_late) as receiver:
        api.post(
            "/Configuration/Webhooks", Filters=["onMessageAdd"], PreWebhookUrl=receiver.url(0)
        ).expect(200)
        with others_unaffected(server, control, messages, bounds=PRE_ACTION_BOUNDS):
            for number in range(CLIENTS):
                made = connect(server)
                made.sendall(
                    request(
                        "POST",
                        f"/v1/Conversations/{chat}/Messages",
                        "X-Twilio-Webhook-Enabled: true",
                        account=account,
                        form={"Body": f"body {number}", "Author": f"author {number}"},
                    )
                )
                time.sleep(0.02)
                reset(made)
            wait_until_idle(api)

    found = api.get(f"/Conversations/{chat}/Messages", PageSize=100).expect(200)["messages"]
    numbers = [int(each["body"].partition(" ")[2]) for each in found]
    print(f"{len(found)} of {CLIENTS} messages are there")
    assert len(set(numbers)) == len(numbers)
    assert [each["author"] for each in found] == [f"author {number}" for number in numbers]
    assert [each["index"] for each in found] == list(range(len(found)))
    assert "Traceback" not in server.log_path.read_text()
    api.close()


def wait_until_idle(api: Api) -> None:
    """Wait until the account has no other request in flight."""
    deadline = time.monotonic() + 8
    while api.get("/Conversations").headers["Twilio-Concurrent-Requests"] != "1":
        assert time.monotonic() < deadline, "requests of clients that have gone hold their places"
        time.sleep(0.05)
