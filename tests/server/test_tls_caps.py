"""Connections whose TLS handshake is not completed count in the caps on connections."""

from __future__ import annotations

import ssl
import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import connect
from tests.attacks.harness import basic
from tests.server.test_connection_caps import (
    FEW_FILES,
    FEW_STRANGERS,
    FILES_MAX,
    OF_ADDRESS_MAX,
    STRANGERS_MAX,
    UNTRUSTED,
)
from tests.support.polling import readable
from tests.support.tls_server import HOSTED, TlsServer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    Begins = Callable[[TlsServer], bytes]

CLOSED_SECONDS_MAX = 5.0
ROOM_SECONDS_MAX = 20.0
# The limits of the program with few unauthenticated connections.
BEGUN_MAX = 4
# More than is read at once.
REQUESTS = 40


def hello(server: TlsServer) -> bytes:
    """Return the first message of a client's handshake."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=server.authority)
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=HOSTED)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def nothing(_: TlsServer) -> bytes:
    """Return no bytes."""
    return b""


def part(server: TlsServer) -> bytes:
    """Return the start of a handshake's first message."""
    return hello(server)[:100]


def begin(server: TlsServer, stack: ExitStack, data: bytes) -> socket.socket:
    """Return a connection with the start of a handshake."""
    made = stack.enter_context(connect(server))
    made.sendall(data)
    return made


def is_closed(connection: socket.socket, seconds: float = 0) -> bool:
    """Return whether the server closes the connection within some seconds; data is dropped."""
    deadline = time.monotonic() + seconds
    while readable([connection], max(0, deadline - time.monotonic())):
        try:
            if connection.recv(65_536) == b"":
                return True
        except ConnectionError:
            return True
    return False


def wait_for_health(server: TlsServer, seconds: float = ROOM_SECONDS_MAX) -> None:
    deadline = time.monotonic() + seconds
    while not server.is_healthy():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("begins", [nothing, part, hello])
def test_handshakes_of_one_address_beyond_the_cap_are_closed(
    stack: ExitStack, begins: Begins
) -> None:
    cap = ("--connections-per-address-max", str(OF_ADDRESS_MAX))
    server = stack.enter_context(TlsServer(*UNTRUSTED, *cap))
    data = begins(server)
    opened = [begin(server, stack, data) for _ in range(OF_ADDRESS_MAX)]

    assert is_closed(begin(server, stack, b""), CLOSED_SECONDS_MAX)
    assert not server.is_healthy()

    for each in opened:
        each.close()
    wait_for_health(server)


@pytest.mark.parametrize(
    ("begins", "open_max"), [(nothing, STRANGERS_MAX), (part, BEGUN_MAX), (hello, BEGUN_MAX)]
)
def test_the_oldest_handshake_makes_room_and_known_clients_are_served(
    stack: ExitStack, begins: Begins, open_max: int
) -> None:
    server = stack.enter_context(TlsServer(program=[FEW_STRANGERS]))
    data = begins(server)
    known = stack.enter_context(closing(server.connect()))
    login = {"Authorization": basic(server.account_sid, server.auth_token)}
    opened = []
    for _ in range(3 * STRANGERS_MAX):
        opened.append(begin(server, stack, data))
        known.request("GET", "/v1/Conversations", headers=login)
        answer = known.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)

    oldest, newest = opened[:-open_max], opened[-open_max:]
    assert all(is_closed(each, CLOSED_SECONDS_MAX) for each in oldest)
    assert not any(is_closed(each) for each in newest)
    assert server.is_healthy()


def test_handshakes_leave_a_part_of_the_open_files_to_the_server(stack: ExitStack) -> None:
    server = stack.enter_context(TlsServer(program=FEW_FILES))
    opened = [begin(server, stack, b"") for _ in range(FILES_MAX)]

    # Sooner than the handshake timeout.
    wait_for_health(server, CLOSED_SECONDS_MAX)
    assert sum(not is_closed(each) for each in opened) <= FILES_MAX * 3 // 4


def test_requests_that_follow_a_handshake_at_once_are_answered(stack: ExitStack) -> None:
    server = stack.enter_context(TlsServer())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=server.authority)
    client = context.wrap_bio(incoming, outgoing, server_hostname=HOSTED)
    made = stack.enter_context(connect(server))
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    first = outgoing.read()
    made.sendall(first[:50])
    time.sleep(0.02)  # The server reads the first message in two parts.
    made.sendall(first[50:])
    while True:
        incoming.write(made.recv(65_536))
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            pass
    for _ in range(REQUESTS):
        client.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 4000 + b"\r\n\r\n")
    made.sendall(outgoing.read())  # The end of the handshake, and all requests.

    received = b""
    while received.count(b"HTTP/1.1 200 OK") < REQUESTS:
        incoming.write(made.recv(65_536))
        with suppress(ssl.SSLWantReadError):
            while piece := client.read(65_536):
                received += piece
