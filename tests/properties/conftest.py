"""Connections of a separate account, for tests that control every byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.properties.raw_connection import RawConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server


@pytest.fixture(scope="module")
def account(server: Server) -> tuple[str, str]:
    """One account for the tests of a file."""
    return server.make_account()


@pytest.fixture
def connection(server: Server, account: tuple[str, str]) -> Iterator[RawConnection]:
    """A connection of an account whose default service is empty."""
    with RawConnection(server, account) as connected:
        sid = connected.make("/v1/Services", FriendlyName="x")["sid"]
        body = f"DefaultChatServiceSid={sid}".encode()
        connected.exchange(connected.post("/v1/Configuration", body)).expect(200)
        yield connected


@pytest.fixture
def again(server: Server, account: tuple[str, str]) -> Iterator[Callable[[], RawConnection]]:
    """A factory of more connections of the same account."""
    opened: list[RawConnection] = []

    def connect() -> RawConnection:
        opened.append(RawConnection(server, account))
        return opened[-1]

    yield connect
    for each in opened:
        each.__exit__()
