"""Attacks on the HTTP edge: memory and work that one connection, or many, can cause."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import connect, flood
from tests.attacks.harness import api_of, healthz, messages, others_unaffected, request
from tests.support.client import Api
from tests.support.large_conversations import large_page
from tests.support.server import Server
from tests.support.sockets import receive

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 1.5
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
SMALL_BUFFER = 4096


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def large_pages(server: Server) -> tuple[tuple[str, str], str]:
    """Return an account, and the path of a page of its messages with about 1 MiB."""
    return write_large_pages(server)


def write_large_pages(server: Server) -> tuple[tuple[str, str], str]:
    """Create an account and messages; return it and the path of a page with about 1 MiB."""
    account = server.make_account()
    return account, large_page(api_of(server, *account), messages=45, characters=24_000)


# --- Clients without credentials -----------------------------------------------------------------

# The bytes to send first, and those to repeat.
ENDLESS = {
    "trailers": (CHUNKED + b"0\r\n", b"a:b\r\n" * 10_000),
    "long trailers": (CHUNKED + b"0\r\n", b"a: " + b"x" * 60_000 + b"\r\n"),
    "one-byte chunks": (CHUNKED, b"1\r\na\r\n" * 10_000),
    "chunk extensions": (CHUNKED + b"1", b";x=" + b"y" * 60_000),
    "blank lines": (GET, b"\r\n" * 30_000),
    "a request line": (b"GET /", b"x" * 60_000),
    "header lines": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n" * 10_000),
    "a body that is not read": (
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n",
        b"x" * 60_000,
    ),
}


@pytest.mark.kind("bytes", by="anybody")
def test_endless_input_is_not_buffered(server: Server, control: Server) -> None:
    with others_unaffected(server, control):
        for head, repeated in ENDLESS.values():
            flood(server, head=head, repeated=repeated, seconds=SECONDS / 5, connections=2)


@pytest.mark.kind("turns", "bytes", by="anybody")
@pytest.mark.parametrize("reads", [True, False])
def test_pipelined_requests_wait_for_their_turn(
    server: Server, control: Server, reads: bool
) -> None:
    with others_unaffected(server, control):
        flood(server, repeated=GET * 7_000, seconds=SECONDS, reads=reads)


@pytest.mark.kind("bytes", "shares", by="anybody")
@pytest.mark.gate
def test_unfinished_heads_share_a_small_pool(fresh_server: Server, control: Server) -> None:
    part = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 30_000
    with others_unaffected(fresh_server, control), ExitStack() as stack:
        for _ in range(600):
            made = stack.enter_context(closing(connect(fresh_server)))
            made.sendall(part)
        time.sleep(0.2)


@pytest.mark.kind("refusals", "turns", by="anybody")
def test_pipelined_wrong_logins_leave_others_unaffected(server: Server, control: Server) -> None:
    wrong = request("GET", "/v1/Conversations", account=(server.account_sid, "wrong"))
    with others_unaffected(server, control, healthz, messages):
        flood(server, repeated=wrong * 300, seconds=SECONDS)


@pytest.mark.kind("shares", by="anybody")
def test_idle_connections_are_evicted_for_new_ones(control: Server) -> None:
    small = {"PARLOUR_CONNECTIONS_MAX": "200"}
    with Server(env=small) as server, others_unaffected(server, control), ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(closing(connect(server)))


# --- An account ----------------------------------------------------------------------------------


@pytest.mark.kind("turns", "bytes", by="an account")
def test_large_pages_in_one_segment_affect_no_other(
    server: Server, control: Server, large_pages: tuple[tuple[str, str], str]
) -> None:
    account, path = large_pages
    with others_unaffected(server, control, healthz, messages), closing(connect(server)) as made:
        made.sendall(request("GET", path, account=account) * 300)
        time.sleep(SECONDS)


@pytest.mark.kind("admission", "bytes", by="an account")
@pytest.mark.gate
def test_slow_readers_of_large_pages_affect_no_other(
    server: Server, control: Server, large_pages: tuple[tuple[str, str], str]
) -> None:
    account, path = large_pages
    asked = request("GET", path, account=account)
    with others_unaffected(server, control, healthz, messages), ExitStack() as stack:
        for _ in range(150):
            made = connect(server, receive_buffer=SMALL_BUFFER)
            stack.enter_context(closing(made))
            made.sendall(asked)
        time.sleep(SECONDS)


@pytest.mark.kind("admission", "shares", by="two accounts")
@pytest.mark.gate
def test_missing_bodies_occupy_no_slot_of_others(server: Server, control: Server) -> None:
    with others_unaffected(server, control, healthz, messages), ExitStack() as stack:
        for account in (server.make_account(), server.make_account()):
            head = request(
                "POST", "/v1/Conversations", "Content-Length: 1000", account=account
            ).replace(b"Content-Length: 0\r\n", b"")
            for _ in range(505):
                made = stack.enter_context(closing(connect(server)))
                made.sendall(head)
        time.sleep(SECONDS)


@pytest.mark.kind("admission", "bytes", by="an account")
@pytest.mark.gate
def test_unfinished_bodies_share_the_pool(fresh_server: Server, control: Server) -> None:
    account = fresh_server.make_account()
    head = request("POST", "/v1/Conversations", "Content-Length: 1000000", account=account).replace(
        b"Content-Length: 0\r\n", b""
    )
    with others_unaffected(fresh_server, control, healthz, messages), ExitStack() as stack:
        for _ in range(100):
            made = stack.enter_context(closing(connect(fresh_server)))
            made.settimeout(2)
            try:
                made.sendall(head + b"x" * 990_000)
            except OSError:  # Closed by the server, or no longer read.
                continue


# --- Downloads -----------------------------------------------------------------------------------


def upload(server: Server, account: tuple[str, str], size: int) -> str:
    """Return the path of a new medium's bytes."""
    service = Api(server.base_url, *account).post("/Services", FriendlyName="x").expect(201)["sid"]
    sent = request(
        "POST",
        f"/v1/Services/{service}/Media",
        "Content-Type: text/plain",
        account=account,
        body=b"x" * size,
    )
    with closing(connect(server)) as made:
        made.sendall(sent)
        answer = made.recv(1 << 16)
        while b"}}" not in answer:
            answer += receive(made)
    sid = json.loads(answer.partition(b"\r\n\r\n")[2])["sid"]
    return f"/v1/Services/{service}/Media/{sid}/Content"


@pytest.mark.kind("admission", "outlived", by="an account")
@pytest.mark.gate
@pytest.mark.parametrize("ends", ["slow", "reset"])
def test_slow_or_reset_downloads_leak_no_files(
    fresh_server: Server, control: Server, ends: str
) -> None:
    account = fresh_server.make_account()
    path = upload(fresh_server, account, 8 << 20)
    asked = request("GET", path, account=account)
    files = open_files(fresh_server)
    with others_unaffected(fresh_server, control, healthz, messages):
        for _ in range(1 if ends == "slow" else 4):
            held = [connect(fresh_server, receive_buffer=SMALL_BUFFER) for _ in range(150)]
            for made in held:
                made.sendall(asked)
            time.sleep(SECONDS if ends == "slow" else 0.1)
            for made in held:
                # With a linger time of 0, closing sends a reset.
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                made.close()
    deadline = time.monotonic() + 5
    while open_files(fresh_server) > files + 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert open_files(fresh_server) <= files + 20
    assert "Traceback" not in fresh_server.log_path.read_text()


def open_files(server: Server) -> int:
    """Return the number of files that the server has open."""
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
