"""The timeout of a TLS connection that the server closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import uvloop

from parlour.vocabulary import limits
from tests.unit.http.connection_setup import ConnectionSetup, Kernel

if TYPE_CHECKING:
    from parlour.http.messages import Request


class Below(Kernel):
    """The transport below TLS, with something left to send."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent = 0

    def get_write_buffer_size(self) -> int:
        return self.unsent


class TlsTransport(Kernel):
    """The transport of TLS; all calls are forwarded to the one below."""

    is_aborted = False

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.is_aborted = True


async def never(_: Request) -> None:
    """Serve a request: none comes."""


@pytest.mark.parametrize("unsent", [0, 1])
def test_a_closed_connection_is_cut_off_once_nothing_is_left_to_send(unsent: int) -> None:
    async def run() -> None:
        bench, below, tls = ConnectionSetup(never), Below(), TlsTransport()
        connection, shared = bench.connection, bench.connections
        connection.set_raw_transport(below)
        connection.connection_made(tls)
        below.unsent = unsent

        connection.stop()
        for _ in range(3):
            assert connection.deadline <= shared.now + limits.CLOSE_NOTIFY_SECONDS_MAX
            assert not tls.is_aborted
            shared.now = connection.deadline
            connection.expire()
            if not below.unsent:
                break
        assert tls.is_aborted is (not unsent)
        below.unsent = 0
        connection.expire()
        assert tls.is_aborted
        await bench.end()

    uvloop.run(run())
