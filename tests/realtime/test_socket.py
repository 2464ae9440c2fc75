"""The socket: handshake, init, renewal, keep-alive, limits and every way in which it closes."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.machine_pressure import Stopwatch
from tests.support.twilsock_client import Socket, make_token, written

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server


def connected(server: Server, identity: str = "alice", **form: str) -> Socket:
    socket = Socket.to(server)
    assert socket.init(make_token(server, identity, **form)).header["status"]["code"] == 200
    return socket


def test_init_is_accepted_with_all_that_the_client_reads(server: Server) -> None:
    with Socket.to(server) as socket:
        registrations = [{"product": "ip_messaging", "type": "ers", "message_types": ["a", "b"]}]
        reply = socket.init(make_token(server, "alice"), registrations=registrations)
        header = reply.header
        assert header["status"] == {"code": 200, "status": "OK"}
        assert header["capabilities"] == ["client_update"]
        assert header["continuation_token_status"]["reissued"] is True
        assert header["init_registrations"][0]["message_types"] == ["a", "b"]
        decoded = json.loads(base64.b64decode(header["continuation_token"].partition(".")[0]))
        assert decoded["format"] == "rtd-ct-1"


def test_a_continuation_token_is_accepted_only_for_its_user(server: Server) -> None:
    with Socket.to(server) as socket:
        first = socket.init(make_token(server, "alice")).header["continuation_token"]
    with Socket.to(server) as socket:
        again = socket.init(make_token(server, "alice"), continuation_token=first).header
        assert again["continuation_token"] == first
        assert again["continuation_token_status"] == {"reissued": False}
    for strange in (
        first,
        first[:-4] + "AAAA",
        "nonsense",
        "",
        7,
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b"[" * 3000).decode(),
        base64.b64encode(b'{"\xff":1}').decode(),
    ):
        with Socket.to(server) as socket:
            other = socket.init(make_token(server, "bob"), continuation_token=strange).header
            assert other["status"]["code"] == 200
            assert other["continuation_token_status"]["reissued"] is True
            assert other["continuation_token"] != first


@pytest.mark.parametrize("path", ["/", "/v3/wsconnectx", "/v1/Conversations"])
def test_websockets_on_other_paths_get_404(server: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        Socket.to(server, path)
    assert caught.value.response.status_code == 404


def test_an_origin_is_not_refused(server: Server) -> None:
    with Socket.to(server, origin="https://somewhere.example") as socket:
        assert socket.init(make_token(server, "alice")).header["status"]["code"] == 200


@pytest.mark.parametrize(
    ("token", "code"), [(None, 20101), ("x", 20101), ("a.b.c", 20101), (5, 20101)]
)
def test_a_token_that_is_none_is_refused_for_good(server: Server, token: object, code: int) -> None:
    with Socket.to(server) as socket:
        status = socket.init(token).header["status"]  # type: ignore[arg-type]
        assert (status["code"], status["errorCode"]) == (401, code)
        assert socket.is_closed()


def test_a_message_before_init_is_out_of_turn(server: Server) -> None:
    with Socket.to(server) as socket:
        socket.send({"method": "message", "http_request": {"path": "/", "method": "GET"}})
        assert socket.closing_frame().header["status"]["code"] == 417
        assert socket.is_closed()


def test_a_second_init_is_out_of_turn(server: Server) -> None:
    with connected(server) as socket:
        socket.send({"method": "init", "token": make_token(server, "alice")})
        assert socket.closing_frame().header["status"]["code"] == 417


@pytest.mark.parametrize(
    "message",
    [b"", b"\0", b"TWILSOCK V3.0 9999\r\n{}\r\n", b"TWILSOCK V2.0 2\r\n{}\r\n", b"x" * 5000],
)
def test_an_invalid_frame_ends_the_connection(server: Server, message: bytes) -> None:
    with connected(server) as socket:
        socket.connection.send(message)
        assert socket.closing_frame().header["status"]["code"] == 406


def test_text_frames_are_ignored(server: Server) -> None:
    with connected(server) as socket:
        socket.connection.send("TWILSOCK V3.0 2\r\n{}\r\n")
        with pytest.raises(ConnectionClosed) as caught:
            socket.receive()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1003


def test_a_message_above_the_limit_ends_the_connection(server: Server) -> None:
    with connected(server) as socket:
        socket.connection.send(b"x" * 2_000_000)
        with pytest.raises(ConnectionClosed) as caught:
            socket.receive()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009


def test_a_fragmented_message_is_one(server: Server) -> None:
    with Socket.to(server) as socket:
        decoded = written({"id": "TM1", "method": "init", "token": make_token(server, "alice")})
        socket.connection.send([decoded[:10], decoded[10:50], decoded[50:]])
        assert socket.reply_to("TM1").header["status"]["code"] == 200


def test_an_unknown_method_is_ignored(server: Server) -> None:
    with connected(server) as socket:
        socket.send({"method": "telemetry.v1", "events": []})
        socket.send({"method": "something.new"})
        frame_id = socket.send({"method": "put_notification_ctx", "notification_ctx_id": "x"})
        assert socket.reply_to(frame_id).header["status"]["code"] == 200


def test_a_close_frame_is_answered_by_closing(server: Server) -> None:
    with connected(server) as socket:
        socket.send({"method": "close"})
        assert socket.is_closed()


def test_a_token_is_renewed_for_the_same_user_only(server: Server) -> None:
    with connected(server) as socket:
        frame_id = socket.send({"method": "update", "token": make_token(server, "alice")})
        assert socket.reply_to(frame_id).header["status"] == {"code": 200, "status": "OK"}
        socket.send({"method": "update", "token": make_token(server, "bob")})
        status = socket.closing_frame().header["status"]
        assert (status["code"], status["errorCode"]) == (308, 51232)


def test_a_refused_renewal_ends_the_connection(server: Server) -> None:
    with connected(server) as socket:
        frame_id = socket.send({"method": "update", "token": "nonsense"})
        assert socket.reply_to(frame_id).header["status"]["code"] == 401
        assert socket.is_closed()


def test_a_short_token_is_warned_of_at_once_and_runs_out(server: Server) -> None:
    watch = Stopwatch()
    with connected(server, Ttl="2") as socket:
        warning = socket.receive()
        assert warning.header["client_update_type"] == "token_about_to_expire"
        close = socket.closing_frame()
        assert close.header["status"]["code"] == 410
        assert close.header["status"]["errorCode"] == 51207
        assert watch.seconds > 0.8
        assert watch.seconds_at_least < 4
        assert socket.is_closed()


def test_a_renewed_token_outlives_the_first(server: Server) -> None:
    with connected(server, Ttl="2") as socket:
        frame_id = socket.send({"method": "update", "token": make_token(server, "alice")})
        assert socket.reply_to(frame_id).header["status"]["code"] == 200
        assert [frame.method for frame in socket.quiet(2.5)] == ["client_update"]


def test_a_revoked_key_ends_its_connections_at_once(server: Server, api: Api) -> None:
    del api
    key_sid, _ = server.make_key(server.account_sid)
    with connected(server, "alice", ApiKeySid=key_sid) as revoked, connected(server) as other:
        server.command("key", "revoke", server.account_sid, key_sid)
        close = revoked.closing_frame(8)
        assert (close.header["status"]["code"], close.header["status"]["errorCode"]) == (401, 51122)
        assert other.send_request("GET", "/v3/Maps/nothing").status == 404


def test_a_removed_user_is_disconnected(server: Server, api: Api) -> None:
    with connected(server, "short-lived") as socket:
        api.delete("/Users/short-lived").expect(204)
        assert socket.closing_frame().header["status"]["errorCode"] == 51215


def test_the_first_connection_makes_the_user(server: Server, api: Api) -> None:
    assert api.get("/Users/first-seen-here").status == 404
    with connected(server, "first-seen-here"):
        assert api.get("/Users/first-seen-here").expect(200)["identity"] == "first-seen-here"


def test_a_stop_disconnects_all_clients_with_a_reconnect_hint(fresh_server: Server) -> None:
    sockets = [connected(fresh_server, f"user-{number}") for number in range(5)]
    fresh_server.stop()
    for socket in sockets:
        frame = socket.closing_frame()
        assert frame.header["status"]["code"] == 308
        assert frame.payload["backoff_policy"]["reconnect_min_ms"] > 0
        assert socket.is_closed()


def test_connections_are_counted_for_monitoring(server: Server, api: Api) -> None:
    del api

    def shown() -> float:
        text = requests.get(f"{server.base_url}/metrics", timeout=10).text
        line = next(each for each in text.splitlines() if each.startswith("parlour_connections "))
        return float(line.split()[1])

    before = shown()
    with connected(server):
        assert shown() == before + 1
