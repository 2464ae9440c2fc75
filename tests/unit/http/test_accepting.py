"""The delay until new connections are accepted, and the options inherited from their listener."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, closing
from typing import Any

import pytest
import uvloop

from parlour.http.binding import bind
from parlour.http.connections import ConnectionCaps, HttpConnections
from parlour.http.run import Listeners
from parlour.operations.buffers import BufferPool
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock

CLIENTS = 4 * limits.ACCEPTED_PER_TURN


async def turns_until_all_are_in() -> int:
    """Latency, in turns of the event loop, of many concurrent connections."""
    server: Any = None  # No request comes.
    caps = ConnectionCaps(2 * CLIENTS, 2 * CLIENTS, 2 * CLIENTS, lambda _: True)
    buffers = BufferPool(limits.BUFFER_BYTES_MIN, limits.BUFFER_BYTES_MIN // 2)
    connections = HttpConnections(
        server, lambda _: asyncio.Protocol(), buffers, SystemClock(), caps
    )
    listeners = Listeners(connections, None)
    port = await listeners.accept(bind("127.0.0.1", 0))
    turns = 0
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            # The system completes the handshake; the loop has no part in it.
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        while len(connections) < CLIENTS:
            turns += 1
            await asyncio.sleep(0)
    listeners.close()
    await connections.stop()
    with closing(socket.socket()) as late:
        assert late.connect_ex(("127.0.0.1", port)) != 0
    return turns


def test_many_simultaneous_clients_wait_for_few_turns_of_the_loop() -> None:
    turns = uvloop.run(turns_until_all_are_in())

    assert turns < CLIENTS / 4


async def unsent_bounds(*, shares: bool) -> list[int]:
    """The bound of the kernel's send buffer of accepted connections, for each of several."""
    server: Any = None  # No request comes.
    caps = ConnectionCaps(CLIENTS, CLIENTS, CLIENTS, lambda _: True)
    buffers = BufferPool(limits.BUFFER_BYTES_MIN, limits.BUFFER_BYTES_MIN // 2)
    connections = HttpConnections(
        server, lambda _: asyncio.Protocol(), buffers, SystemClock(), caps
    )
    accepted: list[asyncio.BaseTransport] = []
    all_are_in = asyncio.Event()

    class AcceptedSocket(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)
            if len(accepted) == 4:
                all_are_in.set()

    connections.make_protocol = AcceptedSocket  # type: ignore[assignment,method-assign]
    listeners = Listeners(connections, None)
    port = await listeners.accept(bind("127.0.0.1", 0, shares=shares))
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        await asyncio.wait_for(all_are_in.wait(), 10)
        found = [
            each.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
            for each in accepted
        ]
    listeners.close()
    await connections.stop()
    return found


@pytest.mark.parametrize("shares", [False, True], ids=["plain", "shared port"])
def test_accepted_connections_bound_unsent_bytes_in_the_kernel(*, shares: bool) -> None:
    bounds = uvloop.run(unsent_bounds(shares=shares))

    assert bounds == 4 * [limits.KERNEL_UNSENT_BYTES_MAX]
