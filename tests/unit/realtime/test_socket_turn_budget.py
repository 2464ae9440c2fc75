"""The bytes and messages of one read chunk that a WebSocket processes in one turn."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from parlour.protocol import twilsock_frames
from parlour.protocol.access_tokens import AccessToken
from parlour.realtime.connection import ClientConnection
from parlour.realtime.socket_shares import SocketShares
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock
from tests.attacks.attack_traffic import PING, request_frame, ws_frame
from tests.support.twilsock_client import init_header, written
from tests.support.websocket_transport import opened

if TYPE_CHECKING:
    from parlour.protocol.twilsock_frames import Frame

TURNS_MAX = 2_000
MESSAGES = 1_000
REQUESTS = 100


class CostlyReceiver:
    """Takes messages, each at the same cost."""

    def __init__(self, cost: int) -> None:
        self.cost = cost
        self.messages: list[bytes] = []

    def message_received(self, message: bytes) -> int:
        self.messages.append(message)
        return self.cost

    def held_bytes(self) -> int:
        return 0

    def rate_exceeded(self) -> None:
        pytest.fail("the client sends no more than it may")

    def close_slow(self) -> None:
        pytest.fail("the client reads everything at once")

    def server_stopping(self) -> None:
        """The server does not stop."""

    def connection_lost(self) -> None:
        """The connection is closed."""


async def messages_by_turn(chunk: bytes, count: int, cost: int = 1) -> list[list[bytes]]:
    """Return the messages received in each turn of the loop, from one chunk, the first included.

    ``count``: their number; ``cost``: the receiver's cost of each.
    """
    receiver = CostlyReceiver(cost)
    socket, transport = opened(lambda _: receiver)
    socket.accept_init("AC", "alice")
    socket.data_received(chunk)
    turns = [receiver.messages]
    while sum(map(len, turns)) < count:
        assert not transport.is_reading, "more is read though the last chunk still waits"
        receiver.messages = []
        await asyncio.sleep(0)
        turns.append(receiver.messages)
        assert len(turns) < TURNS_MAX
    await asyncio.sleep(0)
    assert transport.is_reading
    socket.connection_lost(None)
    return [messages for messages in turns if messages]


@pytest.mark.parametrize("cost", [1, limits.SOCKET_CONTROL_COST, limits.SOCKET_REQUEST_COST])
def test_a_turn_takes_so_many_messages_of_a_chunk_as_it_may_cost(cost: int) -> None:
    sent = [b"%d" % number for number in range(MESSAGES)]
    chunk = b"".join(map(ws_frame, sent))

    turns = asyncio.run(messages_by_turn(chunk, MESSAGES, cost))

    assert [message for messages in turns for message in messages] == sent
    assert max(map(len, turns)) == limits.SOCKET_TURN_FRAMES // cost


def test_a_turn_takes_so_many_bytes_of_a_chunk_and_the_message_that_exceeds_them() -> None:
    sent = [bytes([number]) * 6_000 for number in range(100)]
    chunk = b"".join(map(ws_frame, sent))

    turns = asyncio.run(messages_by_turn(chunk, len(sent)))

    assert [message for messages in turns for message in messages] == sent
    frame_bytes = len(chunk) // len(sent)
    assert max(map(len, turns)) == limits.SOCKET_TURN_BYTES // frame_bytes + 1


def test_a_turn_takes_fewer_control_frames_of_a_chunk() -> None:
    async def pongs() -> int:
        socket, transport = opened(lambda _: CostlyReceiver(1))
        socket.accept_init("AC", "alice")
        socket.data_received(ws_frame(b"", PING) * 100)
        return transport.written.count(b"\x8a\x00")

    assert asyncio.run(pongs()) == limits.SOCKET_TURN_FRAMES // limits.SOCKET_CONTROL_COST


# --- Requests --------------------------------------------------------------------------------


class BlockedTunnel:
    """Answers no request before it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.running = self.running_max = self.answered = 0

    async def handle(self, connection: ClientConnection, frame: Frame) -> None:
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        await self.may_answer.wait()
        self.running -= 1
        self.answered += 1
        connection.reply(twilsock_frames.write(twilsock_frames.reply(frame.id)))


def manager_with(tunnel: BlockedTunnel) -> Any:
    """An endpoint that accepts all clients."""
    token = AccessToken(
        account_sid="AC", key_sid="SK", identity="alice", service_sid="IS", expires_ms=1 << 45
    )

    async def verify(*_: object) -> AccessToken:
        return token

    async def open_session(*_: object) -> Any:
        return SimpleNamespace(token=token, user_sid="US")

    return SimpleNamespace(
        clock=SystemClock(),
        hub=SimpleNamespace(add=lambda _: None),
        is_stopping=False,
        connection_closed=lambda _: None,
        open_session=open_session,
        socket_shares=SocketShares(total_max=1, per_account_max=1),
        tokens=SimpleNamespace(verify=verify),
        verify_token=verify,
        faults=None,
        tunnel=tunnel,
        init_reply=lambda frame, _: twilsock_frames.reply(frame.id),
    )


def test_of_many_requests_in_a_chunk_no_more_are_in_work_at_once_than_the_limit() -> None:
    async def scenario() -> None:
        tunnel = BlockedTunnel()
        manager = manager_with(tunnel)
        socket, transport = opened(lambda made: ClientConnection(made, manager))
        socket.data_received(ws_frame(written({"id": "TM1", **init_header("x")})))
        for _ in range(10):
            await asyncio.sleep(0)
        assert transport.written
        before = asyncio.all_tasks()
        socket.data_received(request_frame("GET", "/v3/Documents/x") * REQUESTS)
        for _ in range(TURNS_MAX):
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks() - before) <= limits.SOCKET_REQUESTS_MAX
        assert tunnel.running == limits.SOCKET_REQUESTS_MAX
        assert not transport.is_reading

        tunnel.may_answer.set()
        for _ in range(TURNS_MAX):
            await asyncio.sleep(0)
        assert tunnel.answered == REQUESTS
        assert tunnel.running_max == limits.SOCKET_REQUESTS_MAX
        assert transport.is_reading
        socket.connection_lost(None)

    asyncio.run(scenario())
