"""Requests of accounts whose bodies do not come, on a server with few places."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from tests.attacks.harness import messages, request, unhurt
from tests.attacks.raw import connect
from tests.support.client import Api
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = 8
SECONDS = 1.0


@pytest.fixture
def narrow_server() -> Iterator[Server]:
    """A server whose places two accounts can fill."""
    few = {
        "PARLOUR_CONCURRENT_REQUESTS_MAX": str(PLACES),
        "PARLOUR_CONCURRENT_REQUESTS_PER_ACCOUNT_MAX": str(PLACES // 2),
    }
    with Server(env=few) as running:
        yield running


def test_missing_bodies_of_two_accounts_take_no_place_of_a_third(
    narrow_server: Server, control: Server
) -> None:
    server = narrow_server
    accounts = [server.make_account() for _ in range(2)]
    with unhurt(server, control, messages), ExitStack() as stack:
        for account in accounts:
            head = request("POST", "/v1/Conversations", "Content-Length: 1000", account=account)
            head = head.replace(b"Content-Length: 0\r\n", b"")
            for number in range(2 * PLACES):
                made = stack.enter_context(closing(connect(server)))
                made.sendall(head + b"x" * number)
        time.sleep(SECONDS)
        # Nor do they take places of their own account, which is below its share.
        for account in accounts:
            api = Api(server.base_url, *account)
            api.get("/Conversations").expect(200)
            api.close()
