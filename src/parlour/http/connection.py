"""One HTTP/1.1 connection: bytes in, one request at a time, answers out.

What the bytes mean is decided in ``protocol/http_request.py``; this is the I/O around it. All
connections receive into one buffer of the process, from which the bytes are taken at once, so a
connection keeps nothing while it is idle.

States, what each does with bytes that arrive, and what ends it. ``Connections`` checks the
deadlines.

=======  ==========================  ==================================  ==========================
state    bytes that arrive           next state                          deadline, and what follows
=======  ==========================  ==================================  ==========================
IDLE     begin a head                HEAD; WORK with a whole head;       KEEP_ALIVE_SECONDS (new:
                                     LINGER if they are no request       HEAD_SECONDS_MAX): closed
HEAD     continue the head           WORK, LINGER                        HEAD_SECONDS_MAX: closed
WORK     belong to the body, or are  when the answer is with the         the body: as long as
         read ahead of the request   kernel: QUEUED, IDLE, DRAIN,        REQUEST_SECONDS_MAX, then
         in work (then reading is    LINGER, CLOSED                      408; the answer:
         paused)                                                         SEND_STALL_SECONDS_MAX
                                                                         without progress: cut off
QUEUED   are read ahead              IDLE, in the next turn of the loop  none
DRAIN    are what is left of a body  QUEUED, IDLE; LINGER beyond         REQUEST_SECONDS_MAX: closed
         that nobody wanted, and     BODY_BYTES_MAX
         dropped
LINGER   are dropped, so that the    CLOSED with the client's end or     LINGER_SECONDS_MAX: closed
         client can read the answer  that of the body
CLOSED   none                        none                                none
=======  ==========================  ==================================  ==========================

A HEAD with the wish for a WebSocket hands the connection over, and is CLOSED for this class.

Bounds: one request in work; at most ``READ_BYTES_MAX`` per turn, and read ahead of the request in
work; a request that was read ahead begins in a turn of its own, behind everybody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parlour.http.flow import CLOSED, NEVER, Flow
from parlour.http.messages import GoneError, Request, encode
from parlour.protocol.http_request import RequestError, RequestReader
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    import asyncio

    from parlour.http.connections import Connections

_IDLE: Final = 0
_HEAD: Final = 1
_WORK: Final = 2
_QUEUED: Final = 3
_DRAIN: Final = 4
_LINGER: Final = 5

# What the request in work does with its body.
_UNASKED: Final = 0
_WHOLE: Final = 1
_PIECES: Final = 2

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE: Final = b"connection: close\r\n\r\n"
_REFUSALS: Final = {
    400: encode(ApiError(20001, "Invalid HTTP request").body()),
    414: encode(ApiError(20001, "The URL is too long", status=414).body()),
    431: encode(ApiError(20001, "The headers are too large", status=431).body()),
}


class Connection(Flow):
    """One connection of a client. To a request it is the ``Exchange``."""

    __slots__ = (
        "_ahead",
        "_body",
        "_dropped_bytes",
        "_failure",
        "_is_answered",
        "_keeps",
        "_mode",
        "_reader",
        "_task",
        "_waiter",
    )

    def __init__(self, shared: Connections) -> None:
        super().__init__(shared)
        self._reader = RequestReader()
        self._task: asyncio.Task[None] | None = None
        self._ahead = b""
        """Bytes that were received and are not interpreted yet."""
        self._body = bytearray()
        """What arrived of the body of the request in work, and was not handed over yet."""
        self._mode = _UNASKED
        self._failure: ApiError | None = None
        """Why the body of the request in work cannot be read."""
        self._waiter: asyncio.Future[Any] | None = None
        self._keeps = True
        self._is_answered = False
        self._dropped_bytes = 0

    # --- What the event loop calls --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give a new connection the time of one head."""
        super().connection_made(transport)
        self._set_due(self._shared.now + limits.HEAD_SECONDS_MAX)
        self._shared.add(self)

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes."""
        data = bytes(self._shared.scratch[:nbytes])
        state = self._state
        if state <= _HEAD:
            self._receive(data)
        elif state == _WORK and self._mode and not self._reader.is_complete:
            self._take_body(data)
        elif state <= _QUEUED:
            self._ahead += data
            self._pause_reading()
        elif state == _DRAIN or (state == _LINGER and not self._reader.is_complete):
            self._drop(data)
        if nbytes == limits.READ_BYTES_MAX:
            self._end_turn()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        super().connection_lost(exc)
        self._shared.discard(self)

    # --- Heads ----------------------------------------------------------------------------------

    def _receive(self, data: bytes) -> None:
        """Take bytes where a head is expected."""
        reader = self._reader
        try:
            is_whole = reader.receive(data)
        except RequestError as error:
            self._refuse(error.status)
            return
        if is_whole:
            self._begin()
        elif self._state == _IDLE and reader.is_in_head:
            self._state = _HEAD
            self._set_due(self._shared.now + limits.HEAD_SECONDS_MAX)

    def _begin(self) -> None:
        """Begin to serve the request whose head was received."""
        reader = self._reader
        if b"upgrade" in reader.headers and reader.wants_websocket:
            self._hand_over()
            return
        request = Request(reader.method.decode(), reader.path, reader.query, reader.headers, self)
        reader.head = b""
        ahead = reader.rest
        if reader.is_complete:
            request.has_body = True
        elif 0 < reader.length <= len(ahead) and reader.method == b"POST":
            request.body = reader.take_body(ahead)
            request.has_body = True
            ahead = reader.rest
        self._ahead = ahead
        self._state = _WORK
        self._keeps = reader.keep_alive
        self._is_answered = False
        self._set_due(NEVER)
        self._task = self._shared.loop.create_task(self._shared.server.serve(request))

    def _hand_over(self) -> None:
        """Make a WebSocket of the connection; from now on it is another protocol's."""
        transport, reader = self._transport, self._reader
        self._state = CLOSED
        self._set_due(NEVER)
        self._shared.discard(self)
        socket: Any = self._shared.make_socket()
        transport.set_protocol(socket)
        transport.resume_reading()
        socket.connection_made(transport)
        socket.data_received(reader.head + reader.rest)

    def _refuse(self, status: int) -> None:
        """Answer what is no request in the API's shape, and close."""
        body = _REFUSALS[status]
        lines = self._shared.server.refusal_lines(body)
        self._transport.write(b"".join((self._shared.start_of(status), lines, _CLOSE, body)))
        self._linger(is_broken=True)

    def _queue(self) -> None:
        """Go on with the next request, if there is one already in the next turn of the loop."""
        self._reader.next()
        self._mode = _UNASKED
        if self._ahead:
            self._state = _QUEUED
            self._set_due(NEVER)
            self._shared.loop.call_soon(self._take_up)
            return
        self._state = _IDLE
        if self._shared.is_stopping:
            self._close()
            return
        self._set_due(self._shared.now + limits.KEEP_ALIVE_SECONDS)
        self._resume_reading()

    def _take_up(self) -> None:
        """Begin with what was read ahead."""
        if self._state != _QUEUED:
            return
        data, self._ahead = self._ahead, b""
        self._state = _IDLE
        self._set_due(self._shared.now + limits.KEEP_ALIVE_SECONDS)
        self._receive(data)
        if self._state <= _HEAD:
            self._resume_reading()

    # --- Bodies ---------------------------------------------------------------------------------

    async def read_body(self) -> bytes:
        """Return the whole body. Raises GoneError, and ApiError 400, 408 and 413."""
        if self._reader.length > limits.BODY_BYTES_MAX:
            raise ApiError(20413)
        waiter = self._waiter = self._shared.loop.create_future()
        self._ask(_WHOLE, limits.REQUEST_SECONDS_MAX)
        body: bytes = await waiter
        return body

    async def read_piece(self) -> bytes:
        """Return the next piece of the body; empty after the last. Raises GoneError, ApiError."""
        if self._mode == _UNASKED:
            self._ask(_PIECES, limits.UPLOAD_SECONDS_MAX)
        while not self._body:
            if self._failure is not None:
                raise self._failure
            if self._reader.is_complete:
                return b""
            if self._state == CLOSED:
                raise GoneError
            self._waiter = self._shared.loop.create_future()
            await self._waiter
        piece = bytes(self._body)
        self._body.clear()
        if self._state != CLOSED:
            self._resume_reading()
        return piece

    def _ask(self, mode: int, seconds: float) -> None:
        """Begin to take the body."""
        if self._state == CLOSED:
            raise GoneError
        reader = self._reader
        self._mode = mode
        if reader.is_complete:
            self._end_body(b"")
            return
        ahead, self._ahead = self._ahead, b""
        if reader.expects_continue:
            reader.expects_continue = False
            if not ahead:
                self._transport.write(_CONTINUE)
        self._set_due(self._shared.now + seconds)
        self._resume_reading()
        if ahead:
            self._take_body(ahead)

    def _take_body(self, data: bytes) -> None:
        """Take bytes of the body that is being read."""
        if self._failure is not None:
            return
        reader = self._reader
        try:
            piece = reader.take_body(data)
        except RequestError:
            self._fail(ApiError(20001, "Invalid HTTP request"))
            return
        if reader.is_complete:
            self._ahead = reader.rest
            self._end_body(piece)
            return
        self._body += piece
        if self._mode == _WHOLE:
            if len(self._body) > limits.BODY_BYTES_MAX:
                self._fail(ApiError(20413))
            return
        if len(self._body) >= limits.READ_BYTES_MAX:
            self._pause_reading()
        if piece:
            self._wake(None)

    def _end_body(self, piece: bytes) -> None:
        """Take the last piece of the body."""
        self._set_due(NEVER)
        if self._mode == _PIECES:
            self._body += piece
            self._wake(None)
            return
        body = bytes(self._body + piece) if self._body else piece
        self._body.clear()
        if len(body) > limits.BODY_BYTES_MAX:
            self._fail(ApiError(20413))
        else:
            self._wake(body)

    def _wake(self, result: bytes | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(result)

    def _fail(self, error: ApiError) -> None:
        """Give up the body of the request in work. What follows it cannot be found."""
        self._failure = error
        self._keeps = False
        self._body.clear()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    # --- Answers --------------------------------------------------------------------------------

    def answer(self, status: int, lines: bytes, body: bytes, *, closes: bool) -> None:
        """Send header lines, each with its CRLF, and a body, or the beginning of one."""
        if self._state == CLOSED:
            return
        assert not self._is_answered
        self._is_answered = True
        if self._keeps and (closes or self._shared.is_stopping or not self._can_drain()):
            self._keeps = False
        end = b"\r\n" if self._keeps else _CLOSE
        self._transport.write(b"".join((self._shared.start_of(status), lines, end, body)))

    def _can_drain(self) -> bool:
        """Whether the connection can go on after the body, which was not read."""
        reader = self._reader
        if reader.is_complete:
            return True
        # Without "100 Continue" the next bytes may be the body, or the next request.
        return not reader.expects_continue and (reader.left_bytes or 0) <= limits.BODY_BYTES_MAX

    def finish(self) -> None:
        """Go on with the next request. Without an answer the connection is cut off."""
        self._task = None
        if self._state == CLOSED:
            return
        if not self._is_answered or self.is_write_paused:
            self.abort()
        elif self._keeps and self._reader.is_complete:
            self._queue()
        elif self._keeps:
            self._drain()
        elif self._reader.is_complete and not self._ahead:
            self._close()
        else:
            self._linger(is_broken=self._failure is not None)

    def _drain(self) -> None:
        """Drop what is left of the body, and go on behind it."""
        self._state = _DRAIN
        self._dropped_bytes = 0
        self._body.clear()
        self._set_due(self._shared.now + limits.REQUEST_SECONDS_MAX)
        self._resume_reading()
        ahead, self._ahead = self._ahead, b""
        if ahead:
            self._drop(ahead)

    def _drop(self, data: bytes) -> None:
        reader = self._reader
        self._dropped_bytes += len(data)
        try:
            reader.take_body(data)
        except RequestError:
            self._linger(is_broken=True)
            return
        if reader.is_complete and self._state == _LINGER:
            self._close()
        elif reader.is_complete:
            self._ahead = reader.rest
            self._queue()
        elif self._dropped_bytes > limits.BODY_BYTES_MAX and self._state == _DRAIN:
            self._linger(is_broken=True)

    # --- The end --------------------------------------------------------------------------------

    def _linger(self, *, is_broken: bool) -> None:
        """Close so that the client can read the answer.

        A connection that is closed while the client sends is reset, and the answer is lost. So
        what it sends is dropped for a while: until the end of the body, or, where that cannot be
        found, until the client has seen that we send no more.
        """
        self._state = _LINGER
        self._set_due(self._shared.now + limits.LINGER_SECONDS_MAX)
        ahead, self._ahead = self._ahead, b""
        self._body.clear()
        self._resume_reading()
        if not is_broken and not self._reader.is_complete:
            if ahead:
                self._drop(ahead)
            return
        if self.scheme == "https":  # TLS has no half of a connection.
            self._close()
            return
        self._reader.is_complete = True  # There is nothing to look for.
        self._transport.write_eof()

    def stop(self) -> None:
        """The server stops: close what is idle; requests in work are answered."""
        if self._state not in {_WORK, _QUEUED}:
            self._close()

    def _end(self) -> None:
        super()._end()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(GoneError())

    def _expire(self) -> None:
        if self._state == _WORK:
            self._set_due(NEVER)
            self._fail(ApiError(20001, "The request body comes too slowly.", status=408))
        else:
            self._close()
