"""Backpressure of a socket: it reads its share in a turn, and reserves buffers for the rest."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from parlour.operations.buffers import BufferPool
from parlour.realtime.input_scheduler import InputLimits
from parlour.realtime.websocket import WebSocket
from parlour.vocabulary import limits
from parlour.vocabulary.client_urls import SOCKET_PATH
from tests.support.websocket_transport import NullRegistry

PART_BYTES = limits.SOCKET_TURN_BYTES // 4


class Wire:
    """A transport without a buffer."""

    is_reading = True

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.1", 1) if name == "peername" else None

    def write(self, data: bytes) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def abort(self) -> None:
        pass


class RecordingReceiver:
    """Takes messages."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def message_received(self, message: bytes) -> int:
        self.messages.append(message)
        return 1

    def held_bytes(self) -> int:
        return 0

    def rate_exceeded(self) -> None:
        pytest.fail("the client sends no more than it may")

    def connection_lost(self) -> None:
        pass


class OpenSocket:
    """An open socket of a known user."""

    def __init__(self, inputs: InputLimits) -> None:
        self.pool = BufferPool(1 << 30, 1 << 20)
        self.receiver = RecordingReceiver()
        self.wire = Wire()
        accept: Any = lambda _: self.receiver  # noqa: E731 - typed as the socket's parameter.
        self.socket = WebSocket(NullRegistry(), accept, self.pool, inputs)
        self.socket.connection_made(self.wire)  # type: ignore[arg-type]
        client = ClientProtocol(parse_uri(f"ws://parlour.test{SOCKET_PATH}"))
        client.send_request(client.connect())
        self.socket.data_received(b"".join(client.data_to_send()))
        self.socket.accept_init("AC1", "alice")

    def send(self, data: bytes) -> None:
        self.socket.data_received(data)


def frame(size: int) -> bytes:
    return Frame(Opcode.BINARY, bytes(size)).serialize(mask=True)


def test_a_socket_reads_no_more_than_its_part_in_a_turn() -> None:
    async def scenario() -> None:
        socket = OpenSocket(InputLimits())
        await asyncio.sleep(0)
        large = frame(4 * limits.SOCKET_TURN_BYTES)
        socket.send(large[: limits.SOCKET_TURN_BYTES])
        assert not socket.wire.is_reading
        await asyncio.sleep(0)
        assert socket.wire.is_reading
        socket.send(large[limits.SOCKET_TURN_BYTES :])
        assert len(socket.receiver.messages) == 1

    asyncio.run(scenario())


def test_a_socket_whose_turn_is_spent_by_others_waits_and_is_counted() -> None:
    async def scenario() -> None:
        inputs = InputLimits()
        others = [OpenSocket(inputs) for _ in range(5)]
        last = OpenSocket(inputs)
        await asyncio.sleep(0)
        part = frame(PART_BYTES)
        for other in others:
            other.send(part * 4)
        last.send(part)
        assert last.receiver.messages == []
        assert last.pool.used == len(part)
        assert last.wire.is_reading
        last.send(part)
        assert not last.wire.is_reading
        assert last.pool.used == 2 * len(part)
        for _ in range(8):
            await asyncio.sleep(0)
        assert len(last.receiver.messages) == 2
        assert all(len(other.receiver.messages) == 4 for other in others)
        assert last.wire.is_reading

    asyncio.run(scenario())


def test_an_idle_client_regains_its_burst() -> None:
    async def scenario() -> None:
        inputs = InputLimits()
        user = inputs.join(("AC1", "alice"), asyncio.get_running_loop().time())
        socket = OpenSocket(inputs)
        loop: Any = SimpleNamespace(time=asyncio.get_running_loop().time)
        socket.socket._loop = loop
        budget = socket.socket._budget
        assert budget.spend_bytes(limits.SOCKET_BURST_BYTES - len(frame(0)))
        assert user.spend(limits.USER_BURST_BYTES - len(frame(0)))
        now = loop.time()
        loop.time = lambda: now + 3600.0
        part = frame(PART_BYTES)
        for _ in range(limits.SOCKET_BURST_BYTES // len(part)):
            socket.send(part)
            await asyncio.sleep(0)
        assert not socket.socket._discards_input

    asyncio.run(scenario())
