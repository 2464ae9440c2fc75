"""Metrics of connections: their number, their limits, and rejections."""

from __future__ import annotations

import http.client
import re
import time
from contextlib import ExitStack, closing, suppress

from tests.attacks.attack_traffic import connect
from tests.support.server import Server

OF_ADDRESS_MAX = 3
SECONDS_MAX = 20.0
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
REFUSED = 'parlour_requests_total{operation_id="",status="503"}'
BUFFERED = 'parlour_buffer_bytes{room="unauthenticated"}'
UPGRADE = (
    b"GET /v3/wsconnect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def figure(server: Server, name: str) -> float:
    """Return one value of `/metrics`, 0 if it is absent."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as asking:
        asking.request("GET", "/metrics")
        text = asking.getresponse().read().decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def wait_for(server: Server, name: str, value: float) -> None:
    """Wait until a metric has a value: the server processes clients' actions a little later."""
    deadline = time.monotonic() + SECONDS_MAX
    while (found := figure(server, name)) != value:
        assert time.monotonic() < deadline, f"{name} is {found}, and not {value}"
        time.sleep(0.05)


def send_request(server: Server, request: bytes) -> bytes:
    """Return the status of a request on a new connection, which is then closed."""
    with closing(connect(server)) as made, suppress(ConnectionError):
        made.sendall(request)
        return made.recv(4096)[9:12]
    return b""


def test_connections_and_refused_ones_are_counted() -> None:
    caps = ["--connections-per-address-max", str(OF_ADDRESS_MAX), "--trusted-proxies", "10.0.0.0/8"]
    with Server(args=caps) as server, ExitStack() as stack:
        socket = stack.enter_context(closing(connect(server)))
        socket.sendall(UPGRADE)
        assert socket.recv(4096).startswith(b"HTTP/1.1 101 ")
        idle = stack.enter_context(closing(connect(server)))
        idle.sendall(GET)
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
        wait_for(server, 'parlour_open_connections{kind="websocket"}', 1)
        wait_for(server, 'parlour_open_connections{kind="http"}', 2)  # One is for the metrics.
        assert figure(server, "parlour_open_connections_max") > OF_ADDRESS_MAX

        deadline = time.monotonic() + SECONDS_MAX
        while (
            send_request(server, b"no request\r\n\r\n") != b"400"
        ):  # The metrics connection may be open.
            assert time.monotonic() < deadline
        wait_for(server, 'parlour_requests_total{operation_id="",status="400"}', 1)

        before = figure(server, REFUSED)
        last = stack.enter_context(closing(connect(server)))
        last.sendall(GET)
        while send_request(server, GET) != b"503":
            assert time.monotonic() < deadline + SECONDS_MAX
        last.close()
        while figure(server, REFUSED) <= before:
            assert time.monotonic() < deadline + 2 * SECONDS_MAX


def test_the_bytes_of_a_handshake_in_pieces_are_counted_no_more_after_it() -> None:
    padding = b"X-Padding: " + b"y" * 7_000 + b"\r\n"
    head = UPGRADE.replace(b"Host: x\r\n", b"Host: x\r\n" + padding)
    with Server() as server, ExitStack() as stack:
        for _ in range(5):
            made = stack.enter_context(closing(connect(server)))
            made.sendall(head[:-2])
            deadline = time.monotonic() + 10
            while not figure(server, BUFFERED) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert figure(server, BUFFERED) > 0  # The head is buffered until it is complete.
            made.sendall(head[-2:])
            assert made.recv(4096).startswith(b"HTTP/1.1 101 ")
            assert figure(server, BUFFERED) == 0
