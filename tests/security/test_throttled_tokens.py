"""Wrong access tokens are throttled like wrong logins, without rejecting a correct one."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import limits
from tests.security.token_forgery import Forge, SigningKey, written
from tests.support.client import Api
from tests.support.server import Server
from tests.support.twilsock_client import Socket

if TYPE_CHECKING:
    from collections.abc import Iterator

DELAY_SECONDS = limits.LOGIN_DELAY_MS / 1000
FREE = limits.LOGIN_FAILURES_MAX
SERVICE = "IS" + "0" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def login_reads(server: Server) -> float:
    text = Api(server.base_url, None, None).get("/metrics").text
    lines = (line.split() for line in text.splitlines())
    return next(float(line[1]) for line in lines if line[:1] == ["parlour_login_reads_total"])


def made_forge(server: Server) -> Forge:
    """A forge for a new key of the server's account and its default service."""
    account = server.account_sid
    api = Api(server.base_url, account, server.auth_token)
    service_sid = api.get("/Configuration").expect(200)["default_chat_service_sid"]
    api.close()
    key = SigningKey(account, *server.make_key(account))
    return Forge(key, key, key, service_sid, int(time.time()))


def unknown_forge() -> Forge:
    """A forge for a key that does not exist."""
    account_sid, key_sid = (f"{prefix}{secrets.token_hex(16)}" for prefix in ("AC", "SK"))
    key = SigningKey(account_sid, key_sid, secrets.token_hex(16))
    return Forge(key, key, key, SERVICE, int(time.time()))


def wrong(forge: Forge) -> str:
    """A token that the key did not sign."""
    header, claims = forge.good()
    claims["jti"] = secrets.token_hex(8)
    text = forge.joined(written(header), written(claims))
    other = SigningKey(forge.own.account_sid, forge.own.sid, secrets.token_hex(16))
    stranger = Forge(other, other, other, forge.service_sid, forge.now)
    return text.rpartition(".")[0] + "." + stranger.sign(text.rpartition(".")[0])


def show(server: Server, token: str, expected: int, service_sid: str = SERVICE) -> float:
    """Return the seconds until the response to a request for media."""
    api = Api(server.base_url, None, None)
    path = f"/v1/Services/{service_sid}/Media/ME{'0' * 32}"
    began = time.monotonic()
    answer = api.get(path, headers={"X-Twilio-Token": token})
    seconds = time.monotonic() - began
    api.close()
    assert answer.status == expected, answer.body
    return seconds


def init(server: Server, token: str, expected: int) -> float:
    """Return the seconds until the reply to ``init``."""
    with Socket.to(server) as socket:
        began = time.monotonic()
        assert socket.init(token).header["status"]["code"] == expected
        return time.monotonic() - began


@pytest.mark.parametrize("known", [True, False], ids=["known-key", "unknown-key"])
def test_wrong_tokens_for_media_are_delayed_after_ten(server: Server, known: bool) -> None:
    forge = made_forge(server) if known else unknown_forge()
    taken = [show(server, wrong(forge), 401) for _ in range(FREE + 2)]
    assert max(taken[:FREE]) < DELAY_SECONDS <= min(taken[FREE:])


def test_wrong_tokens_over_the_socket_are_delayed_and_right_ones_get_in(server: Server) -> None:
    forge, other = made_forge(server), made_forge(server)
    taken = [init(server, wrong(forge), 401) for _ in range(FREE + 2)]
    assert max(taken[:FREE]) < DELAY_SECONDS <= min(taken[FREE:])
    right = forge.token()
    assert DELAY_SECONDS <= init(server, right, 200) < 2
    assert init(server, right, 200) < DELAY_SECONDS, "It was verified a moment ago."
    assert init(server, other.token(), 200) < DELAY_SECONDS, "It is of another key."


def test_an_expired_token_of_the_key_is_no_failure(server: Server) -> None:
    forge = made_forge(server)
    expired = Forge(forge.own, forge.own, forge.own, forge.service_sid, forge.now - 7_200)
    taken = [show(server, expired.token(), 401) for _ in range(FREE + 5)]
    assert max(taken) < DELAY_SECONDS


def test_a_token_rejected_without_the_store_costs_no_read_and_no_delay(server: Server) -> None:
    forge = made_forge(server)
    unknown = unknown_forge()
    show(server, wrong(unknown), 401)
    before = login_reads(server)
    for _ in range(FREE + 5):
        for text in ("no-token", "a.b.c", forge.token()[:-4], unknown_forge().token()[:-4]):
            assert show(server, text, 401) < DELAY_SECONDS
    assert login_reads(server) == before


def test_tokens_of_made_up_keys_share_few_reads(server: Server) -> None:
    tokens = [wrong(unknown_forge()) for _ in range(200)]
    before, began = login_reads(server), time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda token: show(server, token, 401), tokens))
    passed = time.monotonic() - began
    reads = login_reads(server) - before
    assert 1 <= reads <= passed * 1000 / limits.LOGIN_LOOKUP_PAUSE_MS + 2


def test_clients_behind_a_trusted_proxy_are_distinguished(server: Server) -> None:
    forge = made_forge(server)
    for _ in range(FREE + 1):
        init(server, wrong(forge), 401)
    options = {"additional_headers": {"X-Forwarded-For": "192.0.2.7"}}
    with Socket.to(server, **options) as socket:
        began = time.monotonic()
        assert socket.init(forge.token()).header["status"]["code"] == 200
        assert time.monotonic() - began < DELAY_SECONDS
