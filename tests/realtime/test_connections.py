"""Connections: the connected clients of an account are listed, and one is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed

from parlour.realtime.connected_clients import sdk_of
from tests.realtime.sample_conversation import SampleConversation, connected
from tests.resources.settings_setup import new_account_api
from tests.support.client import Api
from tests.support.polling import eventually
from tests.support.twilsock_client import Socket, make_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server

SDK = {"type": "conversations", "sdk": "JS", "sdkv": "2.6.0"}


@pytest.fixture
def own(server: Server) -> Iterator[Api]:
    """The functions of the server's first account."""
    api = Api(server.base_url, server.account_sid, server.auth_token)
    yield api.under("/parlour/v1")
    api.close()


@pytest.fixture
def alice(server: Server) -> Iterator[Socket]:
    """A connected client."""
    with Socket.to(server) as socket:
        assert (
            socket.init(make_token(server, "alice"), metadata=SDK).header["status"]["code"] == 200
        )
        yield socket


def test_a_connected_client_is_listed_until_it_disconnects(own: Api, alice: Socket) -> None:
    (shown,) = own.get("/Connections", Identity="alice").expect(200)["connections"]
    assert (shown["identity"], shown["sdk"]) == ("alice", "conversations JS 2.6.0")
    assert shown["address"] == "127.0.0.1"
    assert shown["sid"].startswith("CN")
    assert shown["user_sid"].startswith("US")
    assert shown["chat_service_sid"].startswith("IS")
    assert shown["date"] < shown["token_expires"]
    assert own.get("/Connections", Identity="bob").expect(200)["connections"] == []
    alice.connection.close()
    eventually(
        lambda: own.get("/Connections", Identity="alice").expect(200)["connections"],
        lambda found: found == [],
    )


def test_a_connection_shows_the_number_of_its_subscriptions(
    server: Server, own: Api, api: Api
) -> None:
    def count() -> int:
        (shown,) = own.get("/Connections", Identity="alice").expect(200)["connections"]
        assert isinstance(shown["subscriptions"], int)
        return shown["subscriptions"]

    sample = SampleConversation.made(api)
    with connected(server, "alice") as socket:
        assert count() == 0
        opened = sample.subscribe(socket)
        assert count() == len(opened) > 1
        socket.subscribe(("list", opened["messages"]["sid"], None), action="cancel")
        assert socket.next_event("subscription_canceled")
        assert count() == len(opened) - 1


def test_a_connection_is_closed_and_its_client_may_return(
    server: Server, own: Api, alice: Socket
) -> None:
    (shown,) = own.get("/Connections", Identity="alice").expect(200)["connections"]
    other = new_account_api(server).under("/parlour/v1")
    assert other.get("/Connections").expect(200)["connections"] == []
    other.delete(f"/Connections/{shown['sid']}").refuses(404, 20404)
    own.delete(f"/Connections/{shown['sid']}").expect(204)
    status = alice.closing_frame().header["status"]
    assert (status["code"], status["status"]) == (308, "CONNECTION_ENDED")
    with pytest.raises(ConnectionClosed):
        alice.connection.recv(10)
    own.delete(f"/Connections/{shown['sid']}").refuses(404, 20404)
    own.delete("/Connections/CN1").refuses(404, 20404)
    with Socket.to(server) as again:
        assert again.init(make_token(server, "alice")).header["status"]["code"] == 200


def test_pages_of_connections_go_in_both_directions(server: Server, own: Api) -> None:
    sockets = [Socket.to(server) for _ in range(3)]
    for each in sockets:
        assert each.init(make_token(server, "carol")).header["status"]["code"] == 200
    whole = own.get("/Connections", Identity="carol").expect(200)["connections"]
    first = own.get("/Connections", Identity="carol", PageSize=2).expect(200)
    second = own.get(first["meta"]["next_page_url"]).expect(200)
    assert first["connections"] + second["connections"] == whole
    assert second["meta"]["next_page_url"] is None
    back = own.get(second["meta"]["previous_page_url"]).expect(200)
    assert back["connections"] == first["connections"]
    assert [each["sdk"] for each in whole] == [None] * 3
    for each in sockets:
        each.connection.close()


def test_an_sdk_is_named_by_the_known_members_of_its_metadata() -> None:
    assert sdk_of(SDK) == "conversations JS 2.6.0"
    assert sdk_of({"sdk": "Android"}) == "Android"
    assert sdk_of({"sdkv": "9" * 100}) == "9" * 64
    for unknown in (None, [], {"sdk": 1}, "JS"):
        assert sdk_of(unknown) == ""
