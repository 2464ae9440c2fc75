"""Floods of rejected requests from one peer leave other clients unaffected."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import request_in_turn
from tests.attacks.harness import healthz, messages, others_unaffected, request
from tests.support.client import Api

if TYPE_CHECKING:
    from tests.support.server import Server

SECONDS_EACH = 0.4
# A loaded machine does not read sixteen large bodies in the time of one flood.
SECONDS_EACH_MAX = 10.0
CONNECTIONS = 16


def rejected_requests(server: Server) -> dict[str, bytes]:
    """Return a request for each status that it is rejected with."""
    account = server.make_account()
    Api(server.base_url, *account).post("/Conversations", UniqueName="taken").expect(201)
    form = "Content-Type: application/x-www-form-urlencoded"
    large = b"UniqueName=taken&Unknown=" + b"x" * 900_000
    too_large = request("POST", "/v1/Conversations", "Content-Length: 2000000", account=account)
    return {
        "400": b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        "404": request("GET", f"/v1/Conversations/CH{'0' * 32}", account=account),
        "409": request("POST", "/v1/Conversations", form, account=account, body=large),
        "413": too_large.replace(b"Content-Length: 0\r\n", b""),
        "414": b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    }


@pytest.mark.kind("refusals", by="anybody")
def test_floods_of_rejected_requests_affect_no_other(fresh_server: Server, control: Server) -> None:
    refused = rejected_requests(fresh_server)
    seen: dict[str, Counter[str]] = {}

    with others_unaffected(fresh_server, control, healthz, messages):
        for status, asked in refused.items():
            seen[status] = Counter()
            deadline = time.monotonic() + SECONDS_EACH_MAX
            while seen[status][status] < CONNECTIONS and time.monotonic() < deadline:
                seen[status] += request_in_turn(
                    fresh_server, [asked], seconds=SECONDS_EACH, connections=CONNECTIONS
                )

    print({status: dict(each) for status, each in seen.items()})
    for status, statuses in seen.items():
        assert set(statuses) <= {status, "closed", "429"}
        assert statuses[status] >= CONNECTIONS
