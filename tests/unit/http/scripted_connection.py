"""One connection in virtual time, with a scripted server and kernel, whose states are recorded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.http import connection_states
from parlour.http.body_reader import BUFFERED
from parlour.http.connection import HttpConnection
from parlour.http.messages import ClientDisconnectedError
from parlour.operations.caller import Caller
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError
from tests.unit.http.connection_setup import FixedAdmission, Kernel, Refusing

if TYPE_CHECKING:
    from parlour.http.connections import HttpConnections
    from parlour.http.messages import Request
    from parlour.protocol.header_block import HeaderBlock

STATES = connection_states.NAMES
ANSWER_BYTES = {"small": 10, "large": 200_000}


class WatchedConnection(HttpConnection):
    """A connection that records each change of its state, and when its body was asked for."""

    def __init__(self, shared: HttpConnections) -> None:
        self.changes: list[tuple[str, str]] = []
        self.since = shared.loop.time()
        self.loop = shared.loop
        super().__init__(shared)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_state":
            before = getattr(self, "_state", value)
            if before != value:
                self.changes.append((STATES[before], STATES[value]))
                self.since = self.loop.time()
        super().__setattr__(name, value)

    def _start_reading_body(self, mode: int, seconds: float) -> None:
        self.since = self.loop.time()
        super()._start_reading_body(mode, seconds)

    @property
    def state(self) -> str:
        return STATES[self._state]

    def is_waiting_for_body(self) -> bool:
        """Whether a request waits for its whole body, and nothing else happened to that."""
        return self._mode == BUFFERED and self._body_error is None and not self._reader.is_complete

    def buffered_bytes(self) -> int:
        """All bytes that the connection, its reader and its chunks refer to, each object once."""
        owners: list[Any] = [self, self._reader, self._reader._parsed, self._reader._chunks]
        found: dict[int, int] = {}
        for owner in owners:
            names = [
                name for each in type(owner).__mro__ for name in getattr(each, "__slots__", ())
            ]
            for name in names:
                _measure(getattr(owner, name, None), found)
        return sum(found.values())


def _measure(value: Any, found: dict[int, int]) -> None:
    if isinstance(value, bytes | bytearray | str | memoryview):
        found[id(value)] = len(value)
    elif isinstance(value, dict):
        for each in value.values():
            _measure(each, found)
    elif isinstance(value, list | tuple):
        for each in value:
            _measure(each, found)


class Script(Refusing):
    """A server that is scripted by the query of a request.

    ``read`` or ``pieces``: reads the body, ``waits``: until the test releases it, ``large``: the
    response, ``closes``: the connection. The login of a path under ``/known`` is valid, and
    ``Authorization: wrong`` is wrong.
    """

    def __init__(self) -> None:
        super().__init__(self._serve)
        self.work = FixedAdmission()
        self.may_go_on = asyncio.Event()

    def cached_account(self, request: Request) -> str | None:
        if request.header(b"authorization") == "wrong":
            return None
        if not request.path.startswith("/known"):
            return ""
        request.caller = Caller("AC" + "0" * 32, "")
        return request.caller.account_sid

    def buffers_body_first(self, request: Request) -> bool:
        return request.caller is not None

    def body_bytes_max(self, request: Request) -> int:
        del request
        return limits.BODY_BYTES_MAX

    def has_known_wrong_login(self, request: Request) -> bool:
        return request.has_body

    def refusal_status(self, block: HeaderBlock) -> int:
        return 0 if block.fields.get(b"authorization") == b"wrong" else 429

    def count_refusal(self, status: int) -> bytes:
        del status
        return b""

    async def _serve(self, request: Request) -> None:
        exchange, words = request.exchange, request.query.decode().split("+")
        try:
            if "waits" in words:
                await self.may_go_on.wait()
            status = await self._read(request, words)
            size = ANSWER_BYTES["large" if "large" in words else "small"]
            closes = "closes" in words or status in {408, 413}
            exchange.start_response(
                status, b"content-length: %d\r\n" % size, b"x" * size, closes=closes
            )
            if exchange.is_write_paused:
                await exchange.flush()
        except ClientDisconnectedError:
            pass
        finally:
            exchange.finish()

    async def _read(self, request: Request, words: list[str]) -> int:
        try:
            if "pieces" in words and not request.has_body:
                while await request.exchange.read_piece():
                    pass
            elif "read" in words and request.method == "POST" and not request.has_body:
                request.body = await request.exchange.read_body()
        except ApiError as error:
            return error.status
        return 200


class SlowKernel(Kernel):
    """A transport whose kernel accepts all bytes, or none; it closes like uvloop's."""

    def __init__(self, protocol: WatchedConnection) -> None:
        super().__init__()
        self.protocol = protocol
        self.is_full = False
        self.now = asyncio.get_running_loop().time
        self.moved_at = self.now()
        """The time when the kernel accepted bytes, or started to accept none."""
        self.unsent = 0
        self.is_closing_now = False
        self.is_lost = False
        self.has_sent_eof = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.has_sent_eof, "a write after the end of the answers"
        if self.is_closing_now:
            return
        if self.is_full:
            was_empty = not self.unsent
            self.unsent += len(data)
            if was_empty:
                self.moved_at = self.now()
                self.protocol.pause_writing()

    def take(self, size: int) -> None:
        """Flush so many buffered bytes to the kernel."""
        if self.is_lost or not self.unsent:
            return
        self.unsent = max(0, self.unsent - size)
        self.moved_at = self.now()
        if not self.unsent:
            self.protocol.resume_writing()
            if self.is_closing_now:
                self._lose()

    def write_eof(self) -> None:
        self.has_sent_eof = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def close(self) -> None:
        if not self.is_closing_now:
            self.is_closing_now = True
            if not self.unsent:
                self._lose()

    def abort(self) -> None:
        self.is_closing_now = True
        self.unsent = 0
        self._lose()

    def _lose(self) -> None:
        if not self.is_lost:
            self.is_lost = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)
