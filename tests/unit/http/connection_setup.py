"""One HTTP connection without a socket: stand-ins for its server and for the kernel."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.http.connections import ConnectionCaps, HttpConnections
from parlour.http.endpoint_routes import EndpointRoutes
from parlour.http.server import HttpServer
from parlour.operations.buffers import BufferPool
from parlour.operations.caller import Caller
from parlour.operations.delayed_refusals import DelayedRefusals
from parlour.resources.table import operations
from parlour.vocabulary import limits
from parlour.vocabulary.clock import FakeClock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from parlour.http.connection import HttpConnection
    from parlour.http.messages import Request
    from parlour.protocol.header_block import HeaderBlock

    Handler = Callable[[Request], Coroutine[Any, Any, None]]

GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


class FixedAdmission:
    """Room for work, always or never."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.has_room = has_room


class Handled:
    """A server whose requests are served by a function of the test."""

    work = FixedAdmission()
    routes = EndpointRoutes(operations())

    def __init__(self, handler: Handler) -> None:
        self.serve = handler

    def allows_upgrade(self, block: HeaderBlock, path: str) -> bool:
        del block, path
        return True

    def cached_account(self, request: Request) -> str | None:
        del request
        return ""

    def buffers_body_first(self, request: Request) -> bool:
        del request
        return False

    def can_run_eagerly(self, request: Request) -> bool:
        del request
        return False

    def needs_login_lookup(self, request: Request) -> bool:
        del request
        return False

    def admit(self, request: Request) -> None:
        """Count nothing."""

    def release(self, request: Request) -> None:
        """Give nothing back."""

    def refusal_lines(self, status: int, body: bytes, *, for_console: bool) -> bytes:
        del status, for_console
        return b"content-length: %d\r\n" % len(body)


class Collecting(Handled):
    """A server that authenticates every login, and so reads bodies completely before it acts."""

    def cached_account(self, request: Request) -> str:
        request.caller = Caller("AC" + "0" * 32, "")
        return request.caller.account_sid

    def buffers_body_first(self, request: Request) -> bool:
        del request
        return True


class Refusing(Handled):
    """A server that rejects each request with ``status`` and the prepared response for it."""

    status = 503
    refusal_parts = staticmethod(HttpServer.refusal_parts)
    can_refuse_early = staticmethod(HttpServer.can_refuse_early)

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler)
        self.work = FixedAdmission(has_room=self.status == 401)
        self.held_refusals: DelayedRefusals[tuple[HttpConnection, int]] = DelayedRefusals(
            FakeClock()
        )

    def cached_account(self, request: Request) -> str | None:
        del request
        return None

    def has_known_wrong_login(self, request: Request) -> bool:
        del request
        return self.status == 401

    def refusal_status(self, block: HeaderBlock) -> int:
        del block
        return self.status

    def count_refusal(self, status: int) -> bytes:
        assert status == self.status
        return b"twilio-request-id: RQ\r\n"


class Kernel(asyncio.Transport):
    """A transport without backpressure, which records whether it is being read."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = True
        self.writes: list[bytes] = []
        """What each call of ``write`` was given: the object itself."""

    @property
    def written(self) -> bytes:
        """All bytes that were written."""
        return b"".join(self.writes)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It never buffers."""

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(data if isinstance(data, bytes) else bytes(data))

    def write_eof(self) -> None:
        """The client sees that no more is sent."""

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing is open."""

    abort = close


class ConnectionSetup:
    """One connection to a server, without a socket; made in an event loop."""

    def __init__(
        self,
        handler: Handler,
        server_type: type[Handled] = Handled,
    ) -> None:
        self.pool = BufferPool(limits.BUFFER_BYTES_MIN, limits.BUFFER_BYTES_MIN // 2)
        caps = ConnectionCaps(1, 1, 1, lambda _: False)
        server: Any = server_type(handler)
        self.connections = HttpConnections(
            server, lambda _: asyncio.Protocol(), self.pool, SystemClock(), caps
        )
        self.connection = self.connections.make_protocol()
        self.kernel = Kernel()
        self.connection.connection_made(self.kernel)

    def receive(self, data: bytes) -> int:
        """Hand bytes over as long as they are read; how many were."""
        taken = 0
        while self.kernel.is_read and taken < len(data):
            buffer = self.connection.get_buffer(-1)
            piece = data[taken : taken + len(buffer)]
            buffer[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))
            taken += len(piece)
        return taken

    async def end(self) -> None:
        self.connection.connection_lost(None)
        await self.connections.stop()
