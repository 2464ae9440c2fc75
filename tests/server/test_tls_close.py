"""Shutdown of TLS connections: a client without a close_notify response delays nothing."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import ExitStack, suppress

import pytest

from tests.attacks.attack_traffic import connect
from tests.attacks.harness import request
from tests.server.test_tls import large_list
from tests.support.tls_server import HOSTED, TlsServer

HEALTH = request("GET", "/healthz")
CLIENTS = 5
# Less than the server waits for requests in flight.
STOP_SECONDS_MAX = 6.0
READING_PAUSE_SECONDS = 3.0


@pytest.fixture
def server(stack: ExitStack) -> TlsServer:
    return stack.enter_context(TlsServer())


def connected(
    server: TlsServer, stack: ExitStack, receive_buffer: int | None = None
) -> ssl.SSLSocket:
    """A passive client: it sends close_notify only when it reads."""
    context = ssl.create_default_context(cafile=server.authority)
    plain = connect(server, receive_buffer=receive_buffer)
    return stack.enter_context(context.wrap_socket(plain, server_hostname=HOSTED))


def closed_after(connection: ssl.SSLSocket) -> float:
    """Return the seconds until the server closes the connection, while its bytes get no reply."""
    started = time.monotonic()
    with socket.socket(fileno=connection.detach()) as plain, suppress(ConnectionError):
        plain.settimeout(60)
        while plain.recv(65_536):
            pass
    return time.monotonic() - started


def test_the_server_stops_soon_despite_unresponsive_idle_clients(
    server: TlsServer, stack: ExitStack
) -> None:
    for _ in range(CLIENTS):
        client = connected(server, stack)
        client.sendall(HEALTH)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")

    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < STOP_SECONDS_MAX


@pytest.mark.parametrize(
    "sent",
    [
        request("GET", "/healthz", "Connection: close"),
        b"no request\r\n\r\n",
    ],
    ids=["closed", "refused"],
)
def test_the_server_stops_soon_after_it_closed_a_connection(
    server: TlsServer, stack: ExitStack, sent: bytes
) -> None:
    client = connected(server, stack)
    client.sendall(sent)
    assert client.recv(65_536).startswith(b"HTTP/1.1 ")

    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < STOP_SECONDS_MAX


def test_a_closed_connection_ends_soon_without_close_notify_of_the_client(
    server: TlsServer, stack: ExitStack
) -> None:
    client = connected(server, stack)
    client.sendall(request("GET", "/healthz", "Connection: close"))

    assert closed_after(client) < STOP_SECONDS_MAX


def test_a_slow_client_still_gets_the_complete_last_response(
    server: TlsServer, stack: ExitStack
) -> None:
    path, login = large_list(server)
    client = connected(server, stack, receive_buffer=4096)
    client.sendall(request("GET", path, f"Authorization: {login}", "Connection: close"))
    received = b""
    while len(received) < 100_000:
        piece = client.recv(65_536)
        assert piece
        received += piece
    time.sleep(READING_PAUSE_SECONDS)
    while piece := client.recv(65_536):
        received += piece

    head, _, body = received.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}\r\n".encode() in head + b"\r\n"
