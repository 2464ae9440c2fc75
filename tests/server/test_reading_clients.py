"""Clients that read large responses slowly keep their reservations in the byte pool."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import limits
from tests.attacks.attack_traffic import connect
from tests.attacks.harness import request
from tests.support.client import Api
from tests.support.large_conversations import large_page
from tests.support.server import Server

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

READERS = 4
MESSAGES = 100
BODY_CHARS = 32_000
SMALL_BUFFER = 16_384
PAUSE_SECONDS = 0.02


class Reader(Thread):
    """Reads small parts of a response; ``is_cut`` after the connection ends."""

    def __init__(self, made: socket.socket) -> None:
        super().__init__(daemon=True)
        self._made = made
        self.has_begun = Event()
        self.is_cut = False
        self.is_over = Event()

    def run(self) -> None:
        """Read until the test stops the reader."""
        while not self.is_over.is_set():
            try:
                received = self._made.recv(SMALL_BUFFER)
            except OSError:
                received = b""
            self.is_cut = not received
            if self.is_cut:
                return
            self.has_begun.set()
            time.sleep(PAUSE_SECONDS)


@pytest.fixture
def server() -> Iterator[Server]:
    least = {"PARLOUR_BUFFER_BYTES_MAX": str(limits.BUFFER_BYTES_MIN)}
    with Server(env=least) as running:
        yield running


def request_for_a_large_page(server: Server) -> bytes:
    """Return a request for a page of 3 MiB, of which the pool has room for four."""
    account = (server.account_sid, server.auth_token)
    api = Api(server.base_url, *account)
    path = large_page(api, MESSAGES, BODY_CHARS, writers=1)
    return request("GET", path, account=account)


def test_a_reader_that_reads_is_not_cut_for_another_of_its_user(server: Server) -> None:
    requests = request_for_a_large_page(server)
    with ExitStack() as stack:
        readers = []
        for _ in range(READERS):
            made = stack.enter_context(closing(connect(server, receive_buffer=SMALL_BUFFER)))
            made.sendall(requests)
            readers.append(Reader(made))
            readers[-1].start()
        assert all(each.has_begun.wait(20) for each in readers)
        with closing(connect(server)) as made:
            made.sendall(requests)
            status = made.recv(65_536)[9:12]
        cut = [each.is_cut for each in readers]
        for each in readers:
            each.is_over.set()
        for each in readers:
            each.join()

    assert status == b"503"
    assert not any(cut)
