"""Brute-force logins, as many as the connections take."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import limits
from tests.attacks.attack_traffic import flood, request_in_turn
from tests.attacks.harness import basic, healthz, messages, others_unaffected, request
from tests.support.client import Api

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.server import Server

GUESSES = 5_000


def guesses(make_name: Callable[[], str]) -> list[bytes]:
    """Return requests with wrong logins."""
    logins = (basic(make_name(), secrets.token_hex(16)) for _ in range(GUESSES))
    return [request("GET", "/v1/Conversations", f"Authorization: {login}") for login in logins]


def login_reads(server: Server) -> float:
    """Return how often the store was read for logins."""
    text = Api(server.base_url, None, None).get("/metrics").text
    lines = (line.split() for line in text.splitlines())
    return next(float(line[1]) for line in lines if line[:1] == ["parlour_login_reads_total"])


@pytest.mark.kind("refusals", by="anybody")
@pytest.mark.parametrize("kind", ["one-name", "unknown-names"])
@pytest.mark.parametrize(
    ("connections", "seconds"),
    [(30, 1.5), pytest.param(200, 10, marks=pytest.mark.gate)],
    ids=["short", "long"],
)
def test_many_wrong_logins_delay_no_other_and_read_little(
    fresh_server: Server, control: Server, connections: int, seconds: float, kind: str
) -> None:
    sid, _ = fresh_server.make_account()
    makers = {"one-name": lambda: sid, "unknown-names": lambda: f"AC{secrets.token_hex(16)}"}
    sent = guesses(makers[kind])
    before = login_reads(fresh_server)
    with others_unaffected(fresh_server, control, healthz, messages):
        statuses = request_in_turn(fresh_server, sent, seconds=seconds, connections=connections)
        print(statuses)
    assert statuses.keys() <= {"401", "429"}
    # 50 reads a second for the attackers, two for the innocent account, and a slow machine.
    allowed = (seconds + 3) * (1000 / limits.LOGIN_LOOKUP_PAUSE_MS + 2)
    assert login_reads(fresh_server) - before <= allowed


@pytest.mark.kind("refusals", "turns", by="anybody")
def test_pipelined_wrong_logins_delay_no_other(fresh_server: Server, control: Server) -> None:
    sent = b"".join(guesses(lambda: f"AC{secrets.token_hex(16)}"))
    before = login_reads(fresh_server)
    with others_unaffected(fresh_server, control, healthz, messages):
        flood(fresh_server, repeated=sent, seconds=1.5, connections=20)
    allowed = 4.5 * (1000 / limits.LOGIN_LOOKUP_PAUSE_MS + 2)
    assert login_reads(fresh_server) - before <= allowed
