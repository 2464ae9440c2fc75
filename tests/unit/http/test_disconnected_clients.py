"""The memory for clients that disconnected while their requests waited."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from parlour.http.messages import ClientDisconnectedError
from parlour.http.streams import read_body, stream_body
from parlour.vocabulary import limits
from tests.unit.http.connection_setup import POST, ConnectionSetup, Handled

if TYPE_CHECKING:
    from parlour.http.messages import Request
    from tests.unit.http.connection_setup import Handler

SENT = POST % 20_000 + b"x" * 20_000


class Identifying(Handled):
    """A server that blocks each login lookup until the test releases it."""

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        self.looks_up = asyncio.Event()
        self.is_cancelled = asyncio.Event()
        self.forgotten: list[Request] = []

    def cached_account(self, request: Request) -> None:
        del request

    def has_known_wrong_login(self, request: Request) -> bool:
        del request
        return False

    def needs_login_lookup(self, request: Request) -> bool:
        del request
        return True

    async def look_up_login(self, request: Request) -> None:
        self.looks_up.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.is_cancelled.set()
            raise
        raise AssertionError(request)

    def release(self, request: Request) -> None:
        self.forgotten.append(request)


@pytest.mark.parametrize("has_begun", [True, False])
def test_a_lookup_ends_with_its_client_and_its_request_is_discarded_once(has_begun: bool) -> None:
    async def run() -> None:
        async def never(_: Request) -> None:
            raise AssertionError("its login is not known")

        bench = ConnectionSetup(never, Identifying)
        server: Any = bench.connections.server
        bench.receive(SENT)
        if has_begun:
            await asyncio.wait_for(server.looks_up.wait(), 10)
        await bench.end()
        if has_begun:
            await asyncio.wait_for(server.is_cancelled.wait(), 10)
        for _ in range(3):
            await asyncio.sleep(0)
        [request] = server.forgotten
        assert request.body == b""

    uvloop.run(run())


HEAD = b"GET /x?q HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % (b"y" * 20_000)


class Admitting(Handled):
    """A server that records each request that is scheduled, and each that is released."""

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        self.admitted: list[Request] = []
        self.released: list[Request] = []

    def admit(self, request: Request) -> None:
        self.admitted.append(request)

    def release(self, request: Request) -> None:
        self.released.append(request)


class IdleConnection:
    """A connection whose requests do nothing."""

    def run_request(self, request: Any) -> bool:
        return request is not None


def test_a_queued_request_keeps_no_head_of_a_disconnected_client() -> None:
    """Its reservation is closed: the heads of a flood would take memory that is not counted."""

    async def run() -> None:
        async def never(_: Request) -> None:
            raise AssertionError("its client has disconnected")

        setup = ConnectionSetup(never, Admitting)
        server: Any = setup.connections.server
        other: Any = IdleConnection(), SimpleNamespace(body=b"")
        for _ in range(limits.STARTED_PER_TURN_MAX + 1):
            setup.connections.scheduler.start(*other, "A")
        setup.receive(HEAD)
        [request] = server.admitted
        assert request.header(b"x") == "y" * 20_000
        await setup.end()
        assert not server.released
        assert (request.header(b"x"), request.query, request.block.fields) == (None, b"", {})
        for _ in range(10):
            await asyncio.sleep(0)
        assert server.released == [request]

    uvloop.run(run())


def run_after_disconnect(sent: bytes, check: Handler) -> None:
    """Serve a request whose client disconnects first; ``check`` gets it afterwards."""

    async def run() -> None:
        started, disconnected, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def serve(request: Request) -> None:
            started.set()
            await disconnected.wait()
            await check(request)
            request.exchange.finish()
            ended.set()

        setup = ConnectionSetup(serve)
        setup.receive(sent)
        await asyncio.wait_for(started.wait(), 10)
        await setup.end()
        disconnected.set()
        await asyncio.wait_for(ended.wait(), 10)

    uvloop.run(run())


def test_a_running_request_keeps_its_head_after_a_disconnect() -> None:
    async def check(request: Request) -> None:
        assert (request.header(b"x"), request.query) == ("y" * 20_000, b"q")

    run_after_disconnect(HEAD, check)


async def read_pieces(request: Request) -> None:
    async for piece in stream_body(request, 100_000):
        raise AssertionError(piece)


READS: dict[str, Any] = {"whole": read_body, "pieces": read_pieces}


@pytest.mark.parametrize("reads", READS)
def test_an_unread_body_is_dropped_with_its_client(reads: str) -> None:
    async def check(request: Request) -> None:
        assert request.body == b""
        with pytest.raises(ClientDisconnectedError):
            await READS[reads](request)

    run_after_disconnect(SENT, check)


def test_a_body_read_in_chunks_is_not_retained() -> None:
    async def run() -> None:
        ended = asyncio.Event()

        async def serve(request: Request) -> None:
            async for piece in stream_body(request, 100_000):
                assert piece == b"x" * 20_000
                assert request.body == b""
            request.exchange.start_response(200, b"", b"", closes=False)
            request.exchange.finish()
            ended.set()

        bench = ConnectionSetup(serve)
        bench.receive(SENT)
        await asyncio.wait_for(ended.wait(), 10)
        await bench.end()

    uvloop.run(run())
