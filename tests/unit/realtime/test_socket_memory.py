"""Requests in flight on a socket: their bytes are reserved until they end, then dropped."""

from __future__ import annotations

import asyncio
import tracemalloc
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from parlour.realtime.commands import Commands
from parlour.realtime.connection import ClientConnection
from parlour.realtime.read_scheduler import ReadScheduler
from parlour.realtime.reply_order import ReplyOrder
from parlour.realtime.tunnel import Tunnel
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemRandom
from tests.attacks.attack_traffic import request_frame, ws_frame
from tests.support.twilsock_client import init_header, written
from tests.support.websocket_transport import opened
from tests.unit.realtime.test_socket_turn_budget import BlockedTunnel, manager_with

if TYPE_CHECKING:
    from parlour.realtime.websocket import WebSocket

BODY_BYTES = 100_000
LARGE = request_frame("POST", "/Client/v2/Conversations", {"x": "x" * BODY_BYTES})
TURNS = 100


async def turns(count: int = TURNS) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def connected(manager: Any) -> tuple[WebSocket, Any]:
    socket, transport = opened(lambda made: ClientConnection(made, manager))
    socket.data_received(ws_frame(written({"id": "TM1", **init_header("x")})))
    await turns()
    return socket, transport


def test_requests_in_work_are_counted_until_they_are_over() -> None:
    async def scenario() -> None:
        tunnel = BlockedTunnel()
        socket, _ = await connected(manager_with(tunnel))
        pool = socket._buffers
        assert pool.used == 0
        socket.data_received(LARGE * 3)
        await turns()
        assert tunnel.running == 3
        assert pool.used >= 3 * BODY_BYTES
        tunnel.may_answer.set()
        await turns()
        assert pool.used == 0
        socket.connection_lost(None)

    asyncio.run(scenario())


def test_requests_of_a_disconnected_client_are_counted_until_they_end() -> None:
    async def scenario() -> None:
        tunnel = BlockedTunnel()
        socket, _ = await connected(manager_with(tunnel))
        pool = socket._buffers
        socket.data_received(LARGE * 3)
        await turns()
        socket.connection_lost(None)
        await turns()
        assert tunnel.running == 3
        assert pool.used >= 3 * BODY_BYTES
        tunnel.may_answer.set()
        await turns()
        assert pool.used == 0
        assert not socket._reservation.is_open

    asyncio.run(scenario())


def test_a_client_that_disconnects_without_requests_leaves_no_count() -> None:
    async def scenario() -> None:
        socket, _ = await connected(manager_with(BlockedTunnel()))
        socket.data_received(LARGE[:BODY_BYTES])
        await turns()
        assert socket._buffers.used
        socket.connection_lost(None)
        assert socket._buffers.used == 0
        assert not socket._reservation.is_open

    asyncio.run(scenario())


def test_no_more_is_read_while_the_requests_in_work_have_many_bytes() -> None:
    async def scenario() -> None:
        tunnel = BlockedTunnel()
        socket, transport = await connected(manager_with(tunnel))
        socket.data_received(LARGE * 20)
        await turns()
        assert tunnel.running == limits.SOCKET_REQUESTS_BYTES_MAX // len(LARGE) + 1
        assert not transport.is_reading
        tunnel.may_answer.set()
        await turns()
        assert tunnel.answered == 20
        assert transport.is_reading
        socket.connection_lost(None)

    asyncio.run(scenario())


class HangingPipeline:
    """Runs no call before it may."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    async def run(self, call: Any, _keep: Any) -> Any:
        self.calls.append(call)
        await asyncio.Event().wait()


class Unlimited:
    """Admits every request."""

    def enter(self, account_sid: str, identity: str) -> None:
        pass

    def leave(self, account_sid: str, identity: str) -> None:
        pass


def test_a_body_is_dropped_once_it_is_read() -> None:
    async def scenario() -> None:
        pipeline: Any = HangingPipeline()
        nothing: Any = None
        unlimited: Any = Unlimited()
        tunnel = Tunnel(
            Commands(pipeline, nothing, nothing),
            nothing,
            nothing,
            reply_order=ReplyOrder(nothing, nothing, nothing),
            read_scheduler=ReadScheduler(),
            admission=unlimited,
            random=SystemRandom(),
        )
        manager = manager_with(tunnel)  # type: ignore[arg-type]
        token = await manager.tokens.verify()

        async def open_session(*_: object) -> Any:
            scope = SimpleNamespace(account_sid="AC", service_sid="IS")
            return SimpleNamespace(
                token=token, user_sid="US", scope=scope, caller=None, identity="alice"
            )

        manager.open_session = open_session
        socket, _ = await connected(manager)
        tracemalloc.start()
        try:
            socket.data_received(LARGE * 8)
            await turns()
            assert len(pipeline.calls) == 8
            assert tracemalloc.get_traced_memory()[0] < 3 * BODY_BYTES
        finally:
            tracemalloc.stop()
        assert socket._buffers.used >= 8 * BODY_BYTES
        socket.connection_lost(None)

    asyncio.run(scenario())
