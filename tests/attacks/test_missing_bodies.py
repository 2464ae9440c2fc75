"""Requests with missing bodies, on a server with few request slots."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from tests.attacks.attack_traffic import connect
from tests.attacks.conftest import PLACES
from tests.attacks.harness import messages, others_unaffected, request
from tests.support.client import Api

if TYPE_CHECKING:
    from tests.support.server import Server

SECONDS = 1.0


@pytest.mark.kind("admission", "shares", by="two accounts")
def test_missing_bodies_of_two_accounts_occupy_no_slot_of_a_third(
    narrow_server: Server, control: Server
) -> None:
    server = narrow_server
    accounts = [server.make_account() for _ in range(2)]
    with others_unaffected(server, control, messages), ExitStack() as stack:
        for account in accounts:
            head = request("POST", "/v1/Conversations", "Content-Length: 1000", account=account)
            head = head.replace(b"Content-Length: 0\r\n", b"")
            for number in range(2 * PLACES):
                made = stack.enter_context(closing(connect(server)))
                made.sendall(head + b"x" * number)
        time.sleep(SECONDS)
        # They occupy no slot of their account either, which is below its share.
        for account in accounts:
            api = Api(server.base_url, *account)
            api.get("/Conversations").expect(200)
            api.close()
