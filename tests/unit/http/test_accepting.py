"""How soon new connections are accepted."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, closing

import uvicorn
import uvloop

from parlour.http.connection import LimitedProtocol
from parlour.http.run import _Uvicorn
from parlour.vocabulary import limits

CLIENTS = 4 * limits.ACCEPTED_PER_TURN


async def _nothing(*_: object) -> None:
    """No request comes."""


async def turns_until_all_are_in(server: _Uvicorn) -> int:
    """Turns of the loop that many clients have to wait for, who came at the same time."""
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    _, port = server.servers[0].sockets[0].getsockname()
    turns = 0
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            # The system completes the handshake; the loop has no part in it.
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        while len(server.server_state.connections) < CLIENTS:
            turns += 1
            await asyncio.sleep(0)
    await server.shutdown()
    with closing(socket.socket()) as late:
        assert late.connect_ex(("127.0.0.1", port)) != 0
    return turns


def test_many_that_come_at_once_wait_for_few_turns_of_the_loop() -> None:
    config = uvicorn.Config(
        _nothing, host="127.0.0.1", port=0, http=LimitedProtocol, lifespan="off", log_config=None
    )
    turns = uvloop.run(turns_until_all_are_in(_Uvicorn(config, _nothing)))

    assert turns < CLIENTS / 4
