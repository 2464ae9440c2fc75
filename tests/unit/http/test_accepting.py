"""How soon new connections are accepted."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, closing
from typing import Any

import uvloop

from parlour.http.connections import Caps, Connections
from parlour.http.run import Listeners
from parlour.operations.buffers import BufferPool
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock

CLIENTS = 4 * limits.ACCEPTED_PER_TURN


async def turns_until_all_are_in() -> int:
    """Turns of the loop that many clients have to wait for, who came at the same time."""
    server: Any = None  # No request comes.
    caps = Caps(2 * CLIENTS, 2 * CLIENTS, 2 * CLIENTS, lambda _: True)
    buffers = BufferPool(limits.BUFFER_BYTES_MIN, limits.BUFFER_BYTES_MIN // 2)
    connections = Connections(server, lambda _: asyncio.Protocol(), buffers, SystemClock(), caps)
    listeners = Listeners(connections, None)
    port = await listeners.listen(host="127.0.0.1", port=0)
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


def test_many_that_come_at_once_wait_for_few_turns_of_the_loop() -> None:
    turns = uvloop.run(turns_until_all_are_in())

    assert turns < CLIENTS / 4
