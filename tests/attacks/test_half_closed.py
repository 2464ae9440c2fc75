"""Attacks with half-closed connections: the client has shut down its sending side."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import connect
from tests.attacks.harness import api_of, healthz, others_unaffected, request
from tests.support.large_conversations import large_page

if TYPE_CHECKING:
    from tests.support.server import Server

CONNECTIONS = 200
SMALL_BUFFER = 4096


@pytest.mark.kind("outlived", "bytes", by="an account")
@pytest.mark.gate
def test_responses_to_half_closed_clients_are_not_buffered(
    fresh_server: Server, control: Server
) -> None:
    account = fresh_server.make_account()
    path = large_page(api_of(fresh_server, *account), messages=90, characters=24_000)
    asked = request("GET", path, account=account)

    with others_unaffected(fresh_server, control, healthz), ExitStack() as stack:
        for _ in range(CONNECTIONS):
            made = connect(fresh_server, receive_buffer=SMALL_BUFFER)
            stack.enter_context(closing(made))
            made.sendall(asked)
            assert made.recv(16)  # The response has started.
            made.shutdown(socket.SHUT_WR)
        time.sleep(1)
