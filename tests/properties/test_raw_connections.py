"""Connections and heads that no client library makes: served in order, or rejected in shape."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import limits
from tests.properties.error_assertions import CONVERSATIONS, count, refuses, refuses_connection
from tests.properties.raw_connection import ClosedError, RawConnection
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL_LIMITS = str(Path(__file__).with_name("launch_with_short_timeouts.py"))


# --- Several requests on one connection -------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(connection: RawConnection) -> None:
    names = [f"n{number}" for number in range(20)]
    connection.send(
        b"".join(connection.post(CONVERSATIONS, f"FriendlyName={n}".encode()) for n in names)
    )
    assert [connection.answer().expect(201)["friendly_name"] for _ in names] == names


def test_pipelined_errors_are_in_order(
    connection: RawConnection, again: Callable[[], RawConnection]
) -> None:
    connection.send(
        connection.post(CONVERSATIONS, b"FriendlyName=a"),
        connection.get("/v1/nowhere"),
        connection.post(CONVERSATIONS, b"FriendlyName=b") + connection.get("/" + "x" * 20_000),
    )
    assert connection.answer().expect(201)["friendly_name"] == "a"
    refuses(connection.answer(), 404, 20404)
    assert connection.answer().expect(201)["friendly_name"] == "b"
    refuses_connection(connection.answer(), 414)
    assert connection.is_closed()
    assert count(again()) == 2


def test_rejected_body_leaves_the_connection_usable(connection: RawConnection) -> None:
    stranger = connection.post(CONVERSATIONS, b"x" * 500_000).replace(b"Basic ", b"Basic x", 1)
    refuses(connection.exchange(stranger), 401, 20003)
    assert count(connection) == 0


@pytest.mark.parametrize("protocol", ["h2c", "TLS/1.0"])
def test_an_upgrade_that_is_not_offered_is_ignored(
    connection: RawConnection, protocol: str
) -> None:
    headers = ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AA")
    connection.exchange(connection.post(CONVERSATIONS, b"FriendlyName=x", *headers)).expect(201)
    connection.exchange(connection.get(CONVERSATIONS, *headers)).expect(200)
    assert count(connection) == 1


def test_only_a_get_becomes_a_socket(connection: RawConnection) -> None:
    headers = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    connection.exchange(connection.post(CONVERSATIONS, b"FriendlyName=x", *headers)).expect(201)
    assert count(connection) == 1


# --- Heads ------------------------------------------------------------------------------------


def test_too_many_headers_are_rejected(
    connection: RawConnection, again: Callable[[], RawConnection]
) -> None:
    few = [f"X-{number}: y" for number in range(limits.HEADERS_MAX - 2)]
    connection.exchange(connection.get(CONVERSATIONS, *few)).expect(200)
    refuses_connection(connection.exchange(connection.get(CONVERSATIONS, *few, "X: y")), 431)
    for many in (["X: y"] * 5_000, ["X: " + "y" * limits.HEADER_BYTES_MAX], ["Y" * 40_000 + ": x"]):
        other = again()
        refuses_connection(other.exchange(other.get(CONVERSATIONS, *many)), 431)
        assert other.is_closed()


@pytest.mark.parametrize("start", [b"X: ", b"X"])
def test_endless_header_is_rejected(connection: RawConnection, start: bytes) -> None:
    connection.send(connection.get(CONVERSATIONS)[:-2] + start)
    for _ in range(200):
        connection.send(b"y" * 8_192)
        time.sleep(0.001)
    refuses_connection(connection.answer(), 431)
    assert connection.is_closed()


def test_head_in_small_chunks_after_a_large_body_is_read(connection: RawConnection) -> None:
    large = connection.post(CONVERSATIONS, b"FriendlyName=x&Other=" + b"y" * 300_000)
    following = connection.get(CONVERSATIONS, *(f"X-{number}: {'z' * 500}" for number in range(40)))
    connection.send(large + following[:10])
    for start in range(10, len(following), 7_000):
        connection.send(following[start : start + 7_000])
        time.sleep(0.01)
    connection.answer().expect(201)
    connection.answer().expect(200)


def test_long_url_is_rejected(
    connection: RawConnection, again: Callable[[], RawConnection]
) -> None:
    most = limits.URL_PATH_BYTES_MAX + limits.URL_QUERY_BYTES_MAX
    path = f"{CONVERSATIONS}/".ljust(most, "x")
    refuses(connection.exchange(connection.get(path)), 404, 20404)
    refuses_connection(connection.exchange(connection.get(path + "x")), 414)
    other = again()
    refuses_connection(other.exchange(other.get("/" + "x" * 300_000)), 414)


@pytest.mark.parametrize(
    "start",
    [
        "GET /v1/Conversations HTTP/9.9",
        "GET /v1/Conversations",
        "FOO /v1/Conversations HTTP/1.1",
        "GET  HTTP/1.1",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GET /v1/Conver sations HTTP/1.1",
        "GET http:///v1/Conversations HTTP/1.1",
        "get /v1/Conversations HTTP/1.1",
        "GET /v1/Users/Zoë HTTP/1.1",
    ],
)
def test_invalid_http_is_rejected(connection: RawConnection, start: str) -> None:
    refuses_connection(connection.exchange(connection.head(start)), 400)
    assert connection.is_closed()


@pytest.mark.parametrize("host", ["", "a b", "x/y", "x@y", "[::1", "x:y", "a" * 300, "é", "%41"])
def test_invalid_host_is_rejected(
    connection: RawConnection, again: Callable[[], RawConnection], host: str
) -> None:
    connection.host = host
    answer = connection.exchange(connection.post(CONVERSATIONS))
    answer.refuses(400, 20001)
    assert count(again()) == 0


def test_request_without_a_host_is_rejected(
    connection: RawConnection, again: Callable[[], RawConnection]
) -> None:
    request = connection.post(CONVERSATIONS).replace(f"Host: {connection.host}\r\n".encode(), b"")
    refuses(connection.exchange(request), 400)
    assert count(again()) == 0


AUTHORIZATIONS = ["", "Basic", "Basic ", "Basic !", "Basic Og==", "Basic QUM=", "Bearer x", "x"]
AUTHORIZATIONS += ["Basic " + base64.b64encode(each).decode() for each in (b"\xff:x", b"a\0:b")]
AUTHORIZATIONS += ["Basic " + "QUFB" * 5_000, "Basic é", "Digest username=x"]


@pytest.mark.parametrize("text", AUTHORIZATIONS, ids=range(len(AUTHORIZATIONS)))
def test_malformed_credentials_are_rejected(connection: RawConnection, text: str) -> None:
    connection.authorization = f"Authorization: {text}"
    answer = connection.exchange(connection.get(CONVERSATIONS))
    refuses(answer, 401, 20003)
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Twilio API"'


def test_http_1_0_is_answered_and_closed(connection: RawConnection) -> None:
    request = connection.get(CONVERSATIONS).replace(b"HTTP/1.1", b"HTTP/1.0")
    connection.exchange(request).expect(200)
    assert connection.is_closed()


def test_connection_close_is_honoured(connection: RawConnection) -> None:
    connection.exchange(connection.get(CONVERSATIONS, "Connection: close")).expect(200)
    assert connection.is_closed()


# --- Slowness ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server_with_short_timeouts() -> Iterator[Server]:
    with Server(program=[SMALL_LIMITS]) as running:
        yield running


@pytest.mark.parametrize("sent", [0, 1, 30, -1])
def test_slow_head_is_disconnected(server_with_short_timeouts: Server, sent: int) -> None:
    with RawConnection(server_with_short_timeouts) as slow:
        slow.send(slow.get(CONVERSATIONS)[:sent])
        began = time.monotonic()
        assert slow.is_closed()
        assert 0.5 < time.monotonic() - began < 5


def test_trickling_head_is_disconnected(server_with_short_timeouts: Server) -> None:
    with RawConnection(server_with_short_timeouts) as slow:
        began = time.monotonic()
        with pytest.raises((ClosedError, ConnectionError)):  # noqa: PT012 - either send or read.
            for byte in slow.get(CONVERSATIONS):
                slow.socket.sendall(bytes([byte]))
                time.sleep(0.05)
                assert time.monotonic() - began < 8
            slow.answer()


@pytest.mark.promise("REQUEST_SECONDS_MAX", 408)
@pytest.mark.parametrize("sent", [-1, -14])
def test_slow_body_returns_408_and_changes_nothing(
    server_with_short_timeouts: Server, sent: int
) -> None:
    with RawConnection(server_with_short_timeouts) as slow:
        slow.send(slow.post(CONVERSATIONS, b"FriendlyName=x")[:sent])
        began = time.monotonic()
        refuses(slow.answer(), 408)
        assert slow.is_closed()
        assert time.monotonic() - began < 5
    with RawConnection(server_with_short_timeouts) as other:
        assert count(other) == 0


def test_an_idle_connection_is_closed_and_a_used_one_is_not(
    server_with_short_timeouts: Server,
) -> None:
    with RawConnection(server_with_short_timeouts) as used:
        for _ in range(6):
            count(used)
            time.sleep(0.3)
        began = time.monotonic()
        assert used.is_closed()
        assert time.monotonic() - began < 5


def test_disconnecting_clients_are_not_logged(fresh_server: Server) -> None:
    for end in (10, -3, None):
        with RawConnection(fresh_server) as hasty:
            hasty.send(hasty.post(CONVERSATIONS, b"FriendlyName=secret-name")[:end])
    with RawConnection(fresh_server) as other:
        count(other)
    log = fresh_server.log_tail()
    assert "Traceback" not in log
    assert "secret-name" not in log
