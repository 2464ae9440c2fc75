"""A request releases its slot once the last byte of its response is in the kernel's buffer."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import connect
from tests.attacks.harness import request
from tests.support.client import Api
from tests.support.large_conversations import large_page
from tests.support.polling import eventually
from tests.support.server import Server
from tests.support.sockets import receive

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = 2
SMALL_BUFFER = 4096
MESSAGES = 45


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    few = {"PARLOUR_CONCURRENT_REQUESTS_PER_ACCOUNT_MAX": str(PLACES)}
    with Server(env=few) as running:
        yield running


def read_answer(made: socket.socket) -> None:
    """Read a complete response."""
    answer = receive(made)
    while b"\r\n\r\n" not in answer:
        answer += receive(made)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) - len(body)
    while left:
        left -= len(receive(made))


def test_unread_responses_keep_the_slots_of_their_requests(server: Server) -> None:
    account = server.account_sid, server.auth_token
    api = Api(server.base_url, *account)
    path = large_page(api, MESSAGES, characters=24_000, writers=1)

    def status() -> int:
        return api.get("/Conversations").status

    with ExitStack() as stack:
        readers = [
            stack.enter_context(closing(connect(server, receive_buffer=SMALL_BUFFER)))
            for _ in range(PLACES)
        ]
        for each in readers:
            each.sendall(request("GET", path, account=account))
        for each in readers:
            # Both responses have started, and neither is completely with the kernel.
            assert each.recv(1, socket.MSG_PEEK)
        assert [status() for _ in range(20)] == 20 * [429]
        read_answer(readers[0])
        eventually(status, lambda each: each == 200)
        assert [status() for _ in range(20)] == 20 * [200]
        for each in readers[1:]:
            read_answer(each)
    api.close()
