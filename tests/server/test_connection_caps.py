"""Caps on connections: by address, unauthenticated ones and all; WebSockets count in each."""

from __future__ import annotations

import base64
import os
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.attacks.raw import connect
from tests.support.server import Server
from tests.support.twilsock import Socket, make_token

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from contextlib import ExitStack

    Opens = Callable[[Server, ExitStack], tuple[socket.socket, int]]

# Loopback is the address of an untrusted client then.
UNTRUSTED = ("--trusted-proxies", "10.0.0.0/8")
OF_ADDRESS_MAX = 20
IN_ALL_MAX = 30
STRANGERS_MAX = 8
FILES_MAX = 256
_LIMITED = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES_MAX}, {FILES_MAX}))
os.execv(sys.executable, [sys.executable, "-m", "parlour", *sys.argv[1:]])
"""
FEW_FILES = ("-c", _LIMITED)
FEW_STRANGERS = str(Path(__file__).with_name("launch_with_few_strangers.py"))
SECONDS_MAX = 20.0


@pytest.fixture
def server(stack: ExitStack) -> Server:
    """A server with low caps, by address too."""
    caps = (
        *("--connections-per-address-max", str(OF_ADDRESS_MAX)),
        *("--connections-max", str(IN_ALL_MAX)),
    )
    return stack.enter_context(Server(args=[*UNTRUSTED, *caps]))


@pytest.fixture
def trusting(stack: ExitStack) -> Server:
    """A server with a low cap on all connections, and none by address."""
    return stack.enter_context(Server(args=["--connections-max", str(IN_ALL_MAX)]))


@pytest.fixture
def guarded(stack: ExitStack) -> Server:
    """A server with few places for unauthenticated connections."""
    return stack.enter_context(Server(program=[FEW_STRANGERS]))


def ask(server: Server, stack: ExitStack, request: bytes) -> tuple[socket.socket, int]:
    """A new connection with one request, and the status of the answer; 0: closed without one."""
    made = stack.enter_context(connect(server))
    try:
        made.sendall(request)
        answer = made.recv(65_536)
    except ConnectionError:
        answer = b""
    return made, int(answer[9:12] or 0)


def health(server: Server, stack: ExitStack) -> tuple[socket.socket, int]:
    return ask(server, stack, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")


def upgrade(server: Server, stack: ExitStack) -> tuple[socket.socket, int]:
    key = base64.b64encode(os.urandom(16))
    head = (
        b"GET /v3/wsconnect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
    )
    return ask(server, stack, head)


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has closed a connection on which no further answer comes."""
    readable, _, _ = select.select([connection], [], [], 0)
    try:
        return bool(readable) and connection.recv(1) == b""
    except ConnectionError:
        return True


def wait_for_room(server: Server, stack: ExitStack) -> None:
    """Wait until a new connection is served again."""
    deadline = time.monotonic() + SECONDS_MAX
    while health(server, stack)[1] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("opens", [health, upgrade])
def test_connections_of_one_address_beyond_the_cap_get_503(
    server: Server, stack: ExitStack, opens: Opens
) -> None:
    expected = 101 if opens is upgrade else 200
    opened = [opens(server, stack) for _ in range(OF_ADDRESS_MAX)]
    assert [status for _, status in opened] == [expected] * OF_ADDRESS_MAX

    assert opens(server, stack)[1] == 503
    assert health(server, stack)[1] == 503

    for connection, _ in opened:
        connection.close()
    wait_for_room(server, stack)


def test_websockets_of_users_count_in_the_cap_on_all_connections(
    trusting: Server, stack: ExitStack
) -> None:
    token = make_token(trusting, "alice")
    idle, _ = health(trusting, stack)
    users = [stack.enter_context(Socket.to(trusting)) for _ in range(IN_ALL_MAX)]
    for user in users:
        assert user.init(token).header["status"]["code"] == 200
    assert is_closed(idle)  # It made room for the last one.

    assert upgrade(trusting, stack)[1] == 503
    assert health(trusting, stack)[1] == 503

    for user in users:
        user.connection.close()
    wait_for_room(trusting, stack)


def test_handshakes_leave_a_part_of_the_open_files_to_the_server(stack: ExitStack) -> None:
    server = stack.enter_context(Server(program=FEW_FILES))
    opened = [upgrade(server, stack)[0] for _ in range(FILES_MAX)]

    assert health(server, stack)[1] == 200
    assert sum(not is_closed(each) for each in opened) <= FILES_MAX * 3 // 4


@pytest.mark.parametrize("opens", [health, upgrade])
def test_the_oldest_unauthenticated_connection_makes_room_for_a_new_one(
    guarded: Server, stack: ExitStack, opens: Opens
) -> None:
    token = make_token(guarded, "alice")
    with Socket.to(guarded) as known:
        assert known.init(token).header["status"]["code"] == 200
        opened = [opens(guarded, stack)[0] for _ in range(3 * STRANGERS_MAX)]

        assert known.connection.ping().wait(SECONDS_MAX)
        closed = [is_closed(each) for each in opened]
        assert closed == [True] * (2 * STRANGERS_MAX) + [False] * STRANGERS_MAX
