"""Attacks on the HTTP edge over TLS, which adds buffers to the connection."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import connect_for_requests, flood
from tests.attacks.harness import healthz, messages, others_unaffected, request
from tests.attacks.test_http_edge import GET, SECONDS, SMALL_BUFFER, write_large_pages
from tests.support.tls_server import TlsServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server

READERS = 150


@pytest.fixture(scope="module")
def tls_server() -> Iterator[TlsServer]:
    with TlsServer() as running:
        yield running


@pytest.mark.kind("turns", "bytes", by="anybody")
@pytest.mark.parametrize("reads", [True, pytest.param(False, marks=[pytest.mark.gate])])
def test_pipelined_requests_over_tls_wait_for_their_turn(
    tls_server: TlsServer, control: Server, reads: bool
) -> None:
    with others_unaffected(tls_server, control):
        (sender,) = flood(tls_server, repeated=GET * 7_000, seconds=SECONDS, reads=reads)
    assert sender.sent > len(GET)
    assert sender.answer.startswith(b"HTTP/1.1 200 ") or not reads


@pytest.mark.kind("admission", "bytes", by="an account")
@pytest.mark.gate
def test_slow_readers_over_tls_affect_no_other(tls_server: TlsServer, control: Server) -> None:
    account, path = write_large_pages(tls_server)
    asked = request("GET", path, account=account)
    with others_unaffected(tls_server, control, healthz, messages), ExitStack() as stack:
        for _ in range(READERS):
            made = stack.enter_context(
                closing(connect_for_requests(tls_server, receive_buffer=SMALL_BUFFER))
            )
            made.sendall(asked)
        time.sleep(SECONDS)
