"""Caps on connections: by address, unauthenticated ones and all; WebSockets count in each."""

from __future__ import annotations

import base64
import os
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from parlour.vocabulary.limits import LOGIN_FAILURES_MAX
from tests.attacks.attack_traffic import RawSocket, connect
from tests.support.client import Api
from tests.support.polling import readable
from tests.support.server import Server
from tests.support.twilsock_client import Socket, make_token

if TYPE_CHECKING:
    from collections.abc import Callable

    Opens = Callable[[Server, ExitStack], tuple[socket.socket, int]]

# Loopback is then the address of an untrusted client.
UNTRUSTED = ("--trusted-proxies", "10.0.0.0/8")
OF_ADDRESS_MAX = 20
IN_ALL_MAX = 30
SOCKETS_MAX = 27
STRANGERS_MAX = 8
SOCKETS_OF_ACCOUNT_MAX = 12
FILES_MAX = 256
_LIMITED = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES_MAX}, {FILES_MAX}))
os.execv(sys.executable, [sys.executable, "-m", "parlour", *sys.argv[1:]])
"""
FEW_FILES = ("-c", _LIMITED)
FEW_SOCKETS = str(Path(__file__).with_name("launch_with_few_sockets.py"))
FEW_STRANGERS = str(Path(__file__).with_name("launch_with_few_unauthenticated_connections.py"))
SECONDS_MAX = 20.0


@pytest.fixture
def server(stack: ExitStack) -> Server:
    """A server with low caps, including one by address."""
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
    """A server with few slots for unauthenticated connections."""
    return stack.enter_context(Server(program=[FEW_STRANGERS]))


def send_request(server: Server, stack: ExitStack, request: bytes) -> tuple[socket.socket, int]:
    """Send one request on a new connection; return the status, or 0 if closed without response."""
    made = stack.enter_context(connect(server))
    try:
        made.sendall(request)
        answer = made.recv(65_536)
    except ConnectionError:
        answer = b""
    return made, int(answer[9:12] or 0)


def health(server: Server, stack: ExitStack) -> tuple[socket.socket, int]:
    return send_request(server, stack, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")


def upgrade(server: Server, stack: ExitStack) -> tuple[socket.socket, int]:
    key = base64.b64encode(os.urandom(16))
    head = (
        b"GET /v3/wsconnect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
    )
    return send_request(server, stack, head)


def begin_post(server: Server, stack: ExitStack) -> socket.socket:
    """Return a new connection with a request in flight: its body does not arrive."""
    head = (
        b"POST /v1/Conversations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n"
        b"Authorization: Basic "
        + base64.b64encode(f"{server.account_sid}:{server.auth_token}".encode())
        + b"\r\n\r\n"
    )
    made, status = send_request(server, stack, head)
    assert status == 100
    return made


def is_closed(connection: socket.socket, seconds: float = 0) -> bool:
    """Return whether the server closes the connection within a time, without another response."""
    try:
        return bool(readable([connection], seconds)) and connection.recv(1) == b""
    except ConnectionError:
        return True


def why_closed(user: Socket) -> tuple[int, int]:
    """Return the status and the code with which a WebSocket is closed."""
    status = user.closing_frame().header["status"]
    return status["code"], status["errorCode"]


def token_of_another_account(server: Server) -> str:
    """Return an access token of a new account."""
    answer = requests.post(
        f"{server.base_url}/parlour/v1/Tokens",
        data={"Identity": "alice"},
        auth=server.make_account(),
        timeout=SECONDS_MAX,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def wait_for_capacity(server: Server, stack: ExitStack) -> None:
    """Wait until a new connection is served again."""
    deadline = time.monotonic() + SECONDS_MAX
    while health(server, stack)[1] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("opens", [health, upgrade])
@pytest.mark.promise("--connections-per-address-max", 503)
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
    wait_for_capacity(server, stack)


def test_websockets_of_users_count_in_the_cap_on_all_connections(
    trusting: Server, stack: ExitStack
) -> None:
    token = make_token(trusting, "alice")
    idle, _ = health(trusting, stack)
    users = [stack.enter_context(Socket.to(trusting)) for _ in range(SOCKETS_MAX)]
    for user in users:
        assert user.init(token).header["status"]["code"] == 200
    assert not is_closed(idle)
    # The rest is for HTTP, and each of these has a started request.
    busy = [begin_post(trusting, stack) for _ in range(IN_ALL_MAX - SOCKETS_MAX)]
    assert is_closed(idle, SECONDS_MAX)  # It was displaced by the last one.

    # One of those that wait for a body is displaced by the next one.
    made, status = health(trusting, stack)
    assert status == 200
    ready = readable(busy, SECONDS_MAX)
    assert [is_closed(each) for each in ready] == [True]
    busy.remove(ready[0])
    assert upgrade(trusting, stack)[1] == 101
    assert is_closed(made, SECONDS_MAX)

    for user in users:
        user.connection.close()
    wait_for_capacity(trusting, stack)
    assert not any(is_closed(each) for each in busy)


def test_an_account_with_endless_requests_does_not_block_others(
    trusting: Server, stack: ExitStack
) -> None:
    other = requests.Session()
    other.auth = trusting.make_account()
    url = f"{trusting.base_url}/v1/Conversations"
    for _ in range(2 * IN_ALL_MAX):
        begin_post(trusting, stack)
        assert other.get(url, headers={"Connection": "close"}, timeout=SECONDS_MAX).ok


@pytest.mark.parametrize("capped", ["process", "account"])
@pytest.mark.promise("CONNECTIONS_MAX", 51124)
@pytest.mark.promise("CONNECTIONS_PER_ACCOUNT_MAX", 51124)
def test_a_user_with_all_websockets_keeps_no_other_user_and_no_request_out(
    stack: ExitStack, capped: str
) -> None:
    options: Any = {"args": ["--connections-max", str(IN_ALL_MAX)]}
    sockets_max = SOCKETS_MAX if capped == "process" else SOCKETS_OF_ACCOUNT_MAX
    if capped == "account":
        options["program"] = [FEW_SOCKETS]
    server = stack.enter_context(Server(**options))
    token = make_token(server, "alice")
    of_alice = [Socket.to(server) for _ in range(sockets_max)]
    for each in of_alice:
        stack.enter_context(each)
        assert each.init(token).header["status"]["code"] == 200
    refused = stack.enter_context(Socket.to(server)).init(token).header["status"]
    assert (refused["code"], refused["errorCode"]) == (429, 51124)

    for newest, other in ((of_alice[-1], "bob"), (of_alice[-2], "carol")):
        user = stack.enter_context(Socket.to(server))
        assert user.init(make_token(server, other)).header["status"]["code"] == 200
        assert why_closed(newest) == (308, 51124)
    stranger = stack.enter_context(Socket.to(server))
    assert stranger.init(token_of_another_account(server)).header["status"]["code"] == 200
    if capped == "process":
        assert why_closed(of_alice[-3]) == (308, 51124)

    assert health(server, stack)[1] == 200
    with closing(Api(server.base_url, server.account_sid, server.auth_token)) as api:
        api.get("/Conversations").expect(200)
    left = of_alice[: -3 if capped == "process" else -2]
    for each in left:
        assert each.connection.ping().wait(SECONDS_MAX)
    again = stack.enter_context(Socket.to(server)).init(token).header["status"]
    assert (again["code"], again["errorCode"]) == (429, 51124)

    left[0].connection.close()
    returned = stack.enter_context(Socket.to(server)).init(token).header["status"]
    assert returned["code"] == 200


def test_an_http_request_displaces_a_websocket_before_its_init(
    trusting: Server, stack: ExitStack
) -> None:
    token = make_token(trusting, "alice")
    users = [stack.enter_context(Socket.to(trusting)) for _ in range(SOCKETS_MAX)]
    for user in users:
        assert user.init(token).header["status"]["code"] == 200
    waiting = [upgrade(trusting, stack) for _ in range(IN_ALL_MAX - SOCKETS_MAX)]
    assert [status for _, status in waiting] == [101] * len(waiting)

    assert health(trusting, stack)[1] == 200
    (oldest, _), *others = waiting
    assert is_closed(oldest, SECONDS_MAX)
    assert not any(is_closed(each) for each, _ in others)
    for user in users:
        assert user.connection.ping().wait(SECONDS_MAX)


def test_an_http_request_displaces_a_closing_websocket(trusting: Server, stack: ExitStack) -> None:
    """The client of the displaced WebSocket does not respond to its close frame."""
    alice, bob = (make_token(trusting, name) for name in ("alice", "bob"))
    for _ in range(SOCKETS_MAX - 1):
        user = stack.enter_context(Socket.to(trusting))
        assert user.init(alice).header["status"]["code"] == 200
    displaced = stack.enter_context(RawSocket(trusting))
    displaced.init(alice)
    user = stack.enter_context(Socket.to(trusting))
    assert user.init(bob).header["status"]["code"] == 200
    last = next(frame for frame in displaced.frames() if frame.method == "close")
    assert last.header["status"]["errorCode"] == 51124
    busy = [begin_post(trusting, stack) for _ in range(IN_ALL_MAX - SOCKETS_MAX - 1)]

    assert health(trusting, stack)[1] == 200
    assert not any(is_closed(each) for each in busy)


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


@pytest.mark.promise("--connections-max", 503)
def test_a_connection_beyond_requests_that_all_wait_for_a_webhook_gets_503(
    trusting: Server, stack: ExitStack
) -> None:
    hanging = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
    url = f"http://127.0.0.1:{hanging.getsockname()[1]}/"
    with closing(Api(trusting.base_url, trusting.account_sid, trusting.auth_token)) as api:
        hooks = {"PreWebhookUrl": url, "Filters": "onConversationAdd"}
        api.post("/Configuration/Webhooks", hooks).expect(200)
    login = base64.b64encode(f"{trusting.account_sid}:{trusting.auth_token}".encode())
    rejected = (
        b"POST /v1/Conversations HTTP/1.1\r\nHost: x\r\nX-Twilio-Webhook-Enabled: true\r\n"
        b"Content-Length: 0\r\nAuthorization: Basic " + login + b"\r\n\r\n"
    )
    # Idle connections are displaced until all of them have a request.
    began = time.monotonic()
    status = 0
    while status != 503:
        assert time.monotonic() - began < SECONDS_MAX
        made = stack.enter_context(connect(trusting))
        made.sendall(rejected)
        is_answered = readable([made], 0.02)
        status = int(made.recv(65_536)[9:12] or 0) if is_answered else 0


@pytest.mark.promise("UNAUTHENTICATED_CONNECTIONS_MAX", 503)
def test_a_stranger_beyond_logins_that_are_all_held_gets_503(
    guarded: Server, stack: ExitStack
) -> None:
    sid, _ = guarded.make_account()
    began = time.monotonic()
    statuses: set[int] = set()
    # A login is valid for half a second at least; a slow machine may be too late for the first
    # ones.
    while 503 not in statuses:
        assert time.monotonic() - began < SECONDS_MAX, statuses
        with ExitStack() as guesses:
            for number in range(2 * LOGIN_FAILURES_MAX):
                wrong = base64.b64encode(f"{sid}:{time.monotonic_ns()}{number}".encode())
                made = guesses.enter_context(connect(guarded))
                made.sendall(
                    b"GET /v1/Conversations HTTP/1.1\r\nHost: x\r\n"
                    b"Authorization: Basic " + wrong + b"\r\n\r\n"
                )
                if readable([made], 0.01):
                    statuses.add(int(made.recv(65_536)[9:12] or 0))
                statuses.add(health(guarded, guesses)[1])
    assert statuses <= {0, 200, 401, 503}
