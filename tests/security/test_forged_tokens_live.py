"""Forged access tokens against a running server: over the socket, and for media."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed

from parlour.vocabulary import limits
from tests.security.token_forgery import FORGED, Forge, SigningKey
from tests.support.client import Api
from tests.support.twilsock_client import Socket

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.server import Server

# A larger frame ends the connection before it is read.
FRAME_BYTES_MAX = limits.FRAME_HEADER_BYTES_MAX


@pytest.fixture(scope="module")
def forge(server: Server) -> Callable[[], Forge]:
    """Makes tokens of a separate account, valid from this moment."""
    account_sid, auth_token = server.make_account()
    twin_sid, _ = server.make_account()
    keys = [SigningKey(sid, *server.make_key(sid)) for sid in (account_sid, account_sid, twin_sid)]
    api = Api(server.base_url, account_sid, auth_token)
    service_sid = api.post("/Services", FriendlyName="Forged for").expect(201)["sid"]
    api.close()
    return lambda: Forge(*keys, service_sid, int(time.time()))


def test_the_token_they_are_made_from_is_accepted(
    server: Server, forge: Callable[[], Forge]
) -> None:
    with Socket.to(server) as socket:
        assert socket.init(forge().made({})).header["status"]["code"] == 200


@pytest.mark.parametrize("forged", FORGED, ids=[each["why"] for each in FORGED])
def test_a_forged_token_opens_no_connection(
    server: Server, forge: Callable[[], Forge], forged: dict[str, Any]
) -> None:
    token = forge().made(forged)
    with Socket.to(server) as socket:
        if len(token) > FRAME_BYTES_MAX:
            with pytest.raises(ConnectionClosed):
                socket.init(token)
            return
        reply = socket.init(token).header
        assert reply["status"]["code"] == 401, reply
        assert reply["status"]["errorCode"] == forged["expected"], reply
        assert "continuation_token" not in reply
        assert socket.is_closed()


@pytest.mark.parametrize("forged", FORGED, ids=[each["why"] for each in FORGED])
def test_a_forged_token_renews_no_connection(
    server: Server, forge: Callable[[], Forge], forged: dict[str, Any]
) -> None:
    made = forge()
    token = made.made(forged)
    with Socket.to(server) as socket:
        assert socket.init(made.token()).header["status"]["code"] == 200
        update = {"method": "update", "token": token}
        if len(token) > FRAME_BYTES_MAX:
            with pytest.raises(ConnectionClosed):
                socket.reply_to(socket.send(update))
            return
        reply = socket.reply_to(socket.send(update)).header
        assert reply["status"]["code"] == 401, reply
        assert reply["status"]["errorCode"] == forged["expected"], reply
        assert socket.is_closed()


@pytest.mark.parametrize("forged", FORGED, ids=[each["why"] for each in FORGED])
def test_a_forged_token_shows_no_media(
    server: Server, forge: Callable[[], Forge], forged: dict[str, Any]
) -> None:
    made = forge()
    token = made.made(forged)
    path = f"/v1/Services/{made.service_sid}/Media/ME{'0' * 32}"
    api = Api(server.base_url, None, None)
    good = api.get(path, headers={"X-Twilio-Token": made.token()})
    assert good.status == 404
    # A header's value is stripped of spaces and line ends, and contains no other characters.
    if token.isascii() and token.isprintable() and token.strip() == token and len(token) < 8_000:
        answer = api.get(path, headers={"X-Twilio-Token": token})
        assert answer.status == 401, answer.body
    api.close()
