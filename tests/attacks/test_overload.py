"""A flood of requests of one account: the server keeps working, others are hardly affected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import workload
from bench.api_client import Credentials, KeepAliveApi
from bench.load import client, offered
from tests.attacks.harness import P99_SECONDS, Bounds, messages, others_unaffected

if TYPE_CHECKING:
    from tests.support.server import Server

CAPACITY_SECONDS = 0.4
FLOOD_SECONDS = 1.0
FACTOR = 4.0
CONNECTIONS = 400
# A request may wait in a full server for the duration of this many requests.
WAITING_REQUESTS_MAX = 1000


def flood_of(server: Server) -> list[bytes]:
    """Return updates of participants by a separate account."""
    credentials = Credentials(*server.make_account())
    with KeepAliveApi(server.port, credentials) as api:
        role_sid = next(
            r["sid"] for r in api.get("/v1/Roles")["roles"] if r["type"] == "conversation"
        )
        names = workload.Names([], [], {}, role_sid)
        chat = api.post("/v1/Conversations")["sid"]
        for number in range(workload.MESSAGES_EACH_MIN):
            api.post(f"/v1/Conversations/{chat}/Messages", Body=f"{number}")
        for number in range(20):
            made = api.post(f"/v1/Conversations/{chat}/Participants", Identity=f"user{number}")
            names.participants.append((chat, made["sid"]))
    return workload.update_participant(credentials, names).requests


@pytest.mark.kind("refusals", "shares", by="an account")
def test_flood_of_one_account_is_rejected_and_affects_no_other(
    fresh_server: Server, control: Server
) -> None:
    requests = flood_of(fresh_server)
    load = client.Load(fresh_server.port, connections=64, seconds=CAPACITY_SECONDS)
    capacity = client.run_requests(load, requests)
    offer = offered.Offer(
        fresh_server.port,
        capacity.rate * FACTOR,
        FLOOD_SECONDS,
        connections=CONNECTIONS,
        wait_ms=10,
        first=capacity.requests,
    )

    wait = max(P99_SECONDS, 0.25, WAITING_REQUESTS_MAX / capacity.rate)

    with others_unaffected(fresh_server, control, messages, bounds=Bounds(p99_seconds=wait)):
        seen = offered.run_requests(offer, requests)

    assert capacity.errors == 0
    assert set(seen.statuses) <= {"200", "429", "503"}
    assert seen.refused.count > 0
    assert (seen.cut_off, seen.timeouts, seen.connect_errors) == (0, 0, 0)
    # The client and the probe use CPU as well.
    assert seen.accepted.count / seen.seconds > 0.1 * capacity.rate
    # The first requests, which are treated as a burst, wait longer.
    assert seen.accepted.p99_us / 1e6 < 2 * wait
