"""Reads the body of the active request: buffered as a whole, or streamed.

A request with a cached login has no task while its body is buffered.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final

from parlour.http.connection_states import ACTIVE, CLOSED, HEAD
from parlour.http.flow_control import NEVER, FlowControl
from parlour.http.messages import ClientDisconnectedError
from parlour.protocol.http_request import RequestReader
from parlour.protocol.request_head import RequestError
from parlour.vocabulary import limits
from parlour.vocabulary.errors import RETRY_AFTER, ApiError, clear_tracebacks

if TYPE_CHECKING:
    import asyncio

    from parlour.http.connections import HttpConnections
    from parlour.http.messages import Request

# The modes of reading a body, per request: UNREAD, then one of the others.
#
# ========  ===========================================  ========================================
# mode      bytes of the body                            ends
# ========  ===========================================  ========================================
# UNREAD    stay in the buffer, not decoded; reading is  when the request reads its body
#           paused
# BUFFERED  are buffered, up to BODY_BYTES_MAX, or the   with the body; 413 above the limit, 503
#           operation's own limit; reading is paused     without room, 408 at the deadline
#           while the buffer pool is full
# STREAMED  are passed on as they arrive; reading is     with the body; the consumer sets the
#           paused beyond READ_BYTES_MAX                 deadline
# ========  ===========================================  ========================================
UNREAD: Final = 0
BUFFERED: Final = 1
STREAMED: Final = 2

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class BodyReader(FlowControl):
    """The part of a connection that reads request bodies."""

    __slots__ = (
        "_body",
        "_body_error",
        "_buffering_for",
        "_head_bytes",
        "_keep_alive",
        "_login_lookup",
        "_mode",
        "_read_ahead",
        "_reader",
        "_request",
        "_request_bytes",
        "_waiter",
    )

    def __init__(self, shared: HttpConnections) -> None:
        super().__init__(shared)
        self._read_ahead = b""
        """Received bytes that were not parsed yet."""
        self._body = bytearray()
        """The received part of the active request's body that was not consumed yet."""
        self._buffering_for: Request | None = None
        """The request that starts when its body is complete."""
        self._keep_alive = True
        """Whether the connection stays open after the active request."""
        self._mode = UNREAD
        self._body_error: ApiError | None = None
        """The error that ended the reading of the body."""
        self._waiter: asyncio.Future[Any] | None = None
        self._request: Request | None = None
        """The active request, until its response or the disconnect."""
        self._login_lookup: asyncio.Task[None] | None = None
        """The task that looks up the login of the request."""
        self._head_bytes = 0
        """The size of the active request's head; 0 for a small one, which is not counted."""
        self._request_bytes = 0
        """The size of the active request's buffered body."""
        self._reader = RequestReader(shared.header_blocks)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the receive buffer, limited to the room for pipelined bytes."""
        del sizehint
        scratch = self._shared.receive_buffer
        # Never empty: reading is paused as soon as pipelined bytes were added.
        return (
            scratch[: limits.READ_BYTES_MAX - len(self._read_ahead)]
            if self._read_ahead
            else scratch
        )

    @abstractmethod
    def _start(self, request: Request, account_sid: str) -> None:
        """Pass a request to the scheduler."""

    def _buffer_body(self, request: Request) -> None:
        """Buffer the body of a request, then start the request."""
        assert request.caller is not None
        self._buffering_for = request
        try:
            self.assign_account(request.caller.owner, request.caller.identity or "")
        except ApiError as error:
            self._fail(error)
            return
        if self._is_too_large(self._reader.length):
            self._fail(ApiError(20413))
        else:
            self._start_reading_body(BUFFERED, limits.REQUEST_SECONDS_MAX)

    def _end_buffering(self, request: Request) -> None:
        self._buffering_for = None
        assert request.caller is not None
        self._start(request, request.caller.owner)

    @property
    def waits_for_client(self) -> bool:
        """Whether the client is slow to send a head or a body, or to read a response."""
        if self._state == ACTIVE:
            return self.is_write_paused or not self._reader.is_complete
        return self._state == HEAD

    async def read_body(self) -> bytes:
        """Return the whole body.

        Raises ClientDisconnectedError, and ApiError 400, 408, 413 and 503.
        """
        if self._body_error is not None:
            raise self._body_error.with_traceback(None)
        if self._is_too_large(self._reader.length):
            raise ApiError(20413)
        self._waiter = self._shared.loop.create_future()
        try:
            self._start_reading_body(BUFFERED, limits.REQUEST_SECONDS_MAX)
            body: bytes = await self._waiter
        finally:
            # Its exception refers to frames, and these to the connection: a reference cycle.
            self._waiter = None
        return body

    async def read_piece(self) -> bytes:
        """Return the next part of the body; empty after the last.

        Raises ClientDisconnectedError and ApiError.
        """
        if self._mode == UNREAD:
            self._start_reading_body(STREAMED, limits.UPLOAD_SECONDS_MAX)
        while not self._body:
            if self._body_error is not None:
                raise self._body_error.with_traceback(None)
            if self._reader.is_complete:
                return b""
            if self._state == CLOSED:
                raise ClientDisconnectedError
            self._waiter = self._shared.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        piece = bytes(self._body)
        self._body.clear()
        if self._state != CLOSED:
            self._resume_reading()
        return piece

    def _start_reading_body(self, mode: int, seconds: float) -> None:
        """Start reading the body in a mode, with a deadline."""
        if self._state == CLOSED:
            raise ClientDisconnectedError
        reader = self._reader
        self._mode = mode
        if reader.is_complete:
            self._end_body(b"")
            return
        ahead, self._read_ahead = self._read_ahead, b""
        # Only now, so that no body is sent for a request that is refused by its head.
        if reader.expects_continue:
            reader.expects_continue = False
            if not ahead:
                self._transport.write(_CONTINUE)
        self._set_deadline(self._shared.now + seconds)
        self._resume_reading()
        if ahead:
            self._take_body(ahead)

    def _is_too_large(self, size: int) -> bool:
        """Return whether the active request may not have a body of this size."""
        if size <= limits.BODY_BYTES_MAX:
            return False
        request = self._request
        return request is None or size > self._shared.server.body_bytes_max(request)

    def _take_body(self, data: bytes) -> None:
        """Decode bytes of the body."""
        if self._body_error is not None:
            return
        reader = self._reader
        # A framing error is fatal: the start of the next request cannot be found.
        try:
            piece = reader.take_body(data)
        except RequestError:
            self._fail(ApiError(20001, "Invalid HTTP request"))
            return
        if reader.is_complete:
            # The bytes after the body are the pipelined request.
            self._read_ahead, reader.trailing_data = reader.trailing_data, b""
            self._end_body(piece)
            return
        self._body += piece
        if self._mode == BUFFERED:
            if self._is_too_large(len(self._body)):
                self._fail(ApiError(20413))
            elif not self._reserve():
                # Backpressure instead of an error: the pool may have room soon.
                self._pause_reading()
                self._shared.start_task(self._wait_for_room())
            elif self._reservation is not None:
                self._reservation.progress()
            return
        if len(self._body) >= limits.READ_BYTES_MAX:
            self._pause_reading()
        if piece:
            self._wake(None)

    def _end_body(self, piece: bytes) -> None:
        """Complete the body with its last part."""
        self._set_deadline(NEVER)
        if self._mode == STREAMED:
            self._body += piece
            self._wake(None)
            return
        # Most bodies arrive at once, and are not copied.
        body = bytes(self._body + piece) if self._body else piece
        self._body.clear()
        self._request_bytes = len(body)
        if self._is_too_large(len(body)):
            self._fail(ApiError(20413))
        elif not self._reserve():
            self._fail(ApiError(20503, headers=RETRY_AFTER))
        else:
            self._wake(body)

    async def _wait_for_room(self) -> None:
        """Continue reading once the pool has room, or fail with 503."""
        reservation = self._reservation
        if reservation is None:
            return
        if await reservation.wait(self._buffered_bytes() - reservation.held):
            self._resume_reading()
        elif self._state == ACTIVE:
            self._fail(ApiError(20503, headers=RETRY_AFTER))

    def _buffered_bytes(self) -> int:
        # All parts in memory: the parser's, the body, pipelined bytes, and the active request's.
        read = self._reader.buffered_bytes + self._reader.parsed_bytes
        in_body = len(self._body) if self._mode == BUFFERED else 0  # Streams go to the disk.
        return read + in_body + len(self._read_ahead) + self._head_bytes + self._request_bytes

    def _can_drain(self) -> bool:
        """Whether the unread body is short enough to be discarded, and certain to be sent."""
        reader = self._reader
        if reader.is_complete:
            return True
        # Without "100 Continue" the next bytes may be the body, or the next request.
        return (
            not reader.expects_continue and (reader.remaining_bytes or 0) <= limits.BODY_BYTES_MAX
        )

    def _release_request(self) -> bytes:
        """Release the buffers of an answered request; return the pipelined bytes."""
        ahead, self._read_ahead = self._read_ahead, b""
        self._body.clear()
        self._reader.clear()
        self._request_bytes = self._head_bytes = 0
        self._release()
        return ahead

    def _wake(self, result: bytes | None) -> None:
        request = self._buffering_for
        if request is not None:
            assert result is not None
            request.body, request.has_body = result, True
            self._end_buffering(request)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(result)

    def _fail(self, error: ApiError) -> None:
        """Fail the reading of the body. The start of the next request is unknown then."""
        clear_tracebacks(error)  # Its frames refer to the request.
        self._body_error = error
        self._keep_alive = False
        self._read_ahead = b""
        self._body.clear()
        # Without a task yet, the request starts now: ``read_body`` raises the error there.
        if self._buffering_for is not None:
            self._end_buffering(self._buffering_for)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def _end(self) -> None:
        # The parent becomes CLOSED, closes the reservation, and fails waiters of ``flush``.
        super()._end()
        # Reference cycles (request and connection, parser and reader) would keep unfinished heads
        # and bodies in memory until the next garbage collection.
        self._buffering_for = None
        self._release_request()
        self._abandon_request()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ClientDisconnectedError())

    def _abandon_request(self) -> None:
        """Release the request of a disconnected client, unless its operation is running."""
        request, self._request = self._request, None
        if request is None:
            return
        request.discard()
        if self._login_lookup is not None:
            # A throttled login may wait for seconds, and would keep the request.
            self._login_lookup.cancel()
            self._login_lookup = None
            self._shared.server.release(request)
