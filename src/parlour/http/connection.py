"""One HTTP/1.1 connection: bytes in, one request at a time, answers out.

What the bytes mean is decided in ``protocol/http_request.py``; this is the I/O around it. All
connections receive into one buffer of the process, from which the bytes are taken at once, so a
connection keeps nothing while it is idle.

States, what each does with bytes that arrive, and what ends it. ``HttpConnections`` checks the
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
         paused)                                                         SEND_STALL_SECONDS_MAX to
                                                                         twice that: cut off
QUEUED   are read ahead              IDLE, in the next turn of the loop  none
DRAIN    are what is left of a body  QUEUED, IDLE; LINGER beyond         REQUEST_SECONDS_MAX: closed
         that was not read, and      BODY_BYTES_MAX
         dropped
LINGER   are dropped, so that the    CLOSED with the client's end or     LINGER_SECONDS_MAX: closed
         client can read the answer  that of the body
CLOSED   none                        none                                none
=======  ==========================  ==================================  ==========================

CLOSED follows any state when the client has gone or the buffers are given to another owner; and
IDLE, HEAD, DRAIN and LINGER when the server stops.

A request for which there is no room, or whose login was wrong a moment ago, is WORK without a
task: it is refused at once, or within ``REFUSAL_DELAY_MS_MAX``.

A HEAD with the wish for a WebSocket hands the connection over, and is CLOSED for this class.

Bounds: one request in work; at most ``READ_BYTES_MAX`` per turn, and as much in all read ahead of
the request in work (``get_buffer`` offers no more room); nothing of an answered request; a request
that was read ahead begins in a turn of its own, behind everybody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.http.body_reader import UNREAD, BodyReader
from parlour.http.eager import run_eagerly
from parlour.http.flow_control import ACTIVE, CLOSED, DRAIN, HEAD, IDLE, LINGER, NEVER, QUEUED
from parlour.http.messages import Request
from parlour.http.server import PUBLIC_REQUEST_STARTS
from parlour.protocol.request_head import RequestError
from parlour.vocabulary import limits
from parlour.vocabulary.errors import ApiError

if TYPE_CHECKING:
    import asyncio

    from parlour.http.connections import HttpConnections

_CLOSE: Final = b"connection: close\r\n\r\n"
_UNKNOWN_LOGIN: Final = "?"


class HttpConnection(BodyReader):
    """One connection of a client. To a request it is the ``Exchange``."""

    __slots__ = (
        "_discarded_bytes",
        "_has_response",
        "_idle_since",
        "_task",
    )

    def __init__(self, shared: HttpConnections) -> None:
        super().__init__(shared)
        self._task: asyncio.Task[None] | None = None
        self._has_response = False
        self._discarded_bytes = 0
        self._idle_since = shared.now

    # --- What the event loop calls --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give a new connection the time of one head."""
        super().connection_made(transport)
        self._set_deadline(self._shared.now + limits.HEAD_SECONDS_MAX)
        if not self._shared.add(self):
            self._transport.write(self._shared.closing_refusal(503))
            self._close()

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes."""
        data = bytes(self._shared.receive_buffer[:nbytes])
        state = self._state
        if state <= HEAD:
            if state == HEAD or self._shared.server.work.has_room or not self._refuse_cached(data):
                self._receive(data)
        elif state == ACTIVE and self._mode and not self._reader.is_complete:
            self._take_body(data)
        elif state <= QUEUED:
            self._read_ahead += data
            self._pause_reading()
            if not self._reserve():
                self.abort()
        elif state == DRAIN or (state == LINGER and not self._reader.is_complete):
            self._discard_body(data)
        if nbytes == limits.READ_BYTES_MAX:
            self._yield_reading()

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
            return
        if self._state == IDLE and reader.is_in_head:
            self._state = HEAD
            self._set_deadline(self._shared.now + limits.HEAD_SECONDS_MAX)
        if not self._reserve():
            self._refuse(503)

    def _begin(self) -> None:
        """Begin to serve the request whose head was received."""
        reader = self._reader
        if b"upgrade" in reader.headers and reader.wants_websocket:
            self._hand_over()
            return
        server = self._shared.server
        if not server.work.has_room and self._refuse_early():
            return
        request = Request(reader.method.decode(), reader.path, reader.query, reader.block, self)
        if reader.is_complete:
            request.has_body = True
        elif 0 < reader.length <= len(reader.trailing_data) and reader.method == b"POST":
            request.body = reader.take_body(reader.trailing_data)
            request.has_body = True
        self._enter_work()
        self._request_bytes = len(request.body)
        kept = self._head_bytes + self._request_bytes + len(self._read_ahead)
        if kept > limits.UNCOUNTED_BYTES_MAX and not self._reserve():
            self._refuse(503)
            return
        self._request = request
        account_sid = server.cached_account(request)
        if not request.has_body and reader.method == b"POST" and server.buffers_body_first(request):
            # Nothing waits for a body that comes slowly: it is no more than these bytes.
            self._buffer_body(request)
            return
        if account_sid is None:
            self._start_unauthenticated(request)
        else:
            self._start(request, account_sid)

    def _enter_work(self) -> None:
        reader = self._reader
        size = len(reader.head) + reader.block.object_bytes
        self._head_bytes = size if size > limits.UNCOUNTED_BYTES_MAX else 0
        # Kept in one place: the bytes ahead are joined with those that follow.
        self._read_ahead, reader.head, reader.trailing_data = reader.trailing_data, b"", b""
        self._state = ACTIVE
        self._keep_alive = reader.keep_alive
        self._has_response = False
        self._set_deadline(NEVER)

    def _start_unauthenticated(self, request: Request) -> None:
        """Start a request whose login is not known to be right, unless it is known to be wrong."""
        if not self._shared.server.has_known_wrong_login(request):
            # Selects the queue only; grants no access.
            self._start(request, self._account_sid or _UNKNOWN_LOGIN)
        else:
            self._request = None
            if not self._shared.delay_refusal(self, 401):
                self.send_refusal(401)

    def _start(self, request: Request, account_sid: str) -> None:
        self._shared.server.admit(request)
        identity = self._identity if request.caller is None else request.caller.identity or ""
        self._shared.scheduler.start(self, request, account_sid, identity)

    def run_request(self, request: Request) -> bool:
        """Let the request begin whose turn it is; False if its client has gone."""
        if self._state == CLOSED:
            self._shared.server.release(request)
            return False
        loop, server = self._shared.loop, self._shared.server
        if server.can_run_eagerly(request):
            self._task = run_eagerly(loop, server.serve(request))
        elif server.needs_login_lookup(request):
            self._login_lookup = loop.create_task(self._look_up_login(request))
        else:
            self._task = loop.create_task(server.serve(request))
        return True

    async def _look_up_login(self, request: Request) -> None:
        """Look up whose request it is; then it waits for its turn again.

        One look-up serves all requests with the same login. Without turns of their own, all of them
        would go on in the turn in which it ends.
        """
        await self._shared.server.look_up_login(request)
        if self._login_lookup is None:
            return  # The client has gone, and the request with it.
        self._login_lookup = None
        caller = request.caller
        if caller is None:
            self._shared.scheduler.start(self, request, _UNKNOWN_LOGIN)
        else:
            self._shared.scheduler.start(self, request, caller.account_sid, caller.identity or "")

    def _refuse_cached(self, data: bytes) -> bool:
        """Refuse a request that is whole and has known headers, before anything is made of it."""
        block = self._reader.find_cached_request(data)
        if block is None or data.startswith(PUBLIC_REQUEST_STARTS):
            return False
        status = self._shared.server.refusal_status(block)
        if not status:
            return False
        self._reader.take_cached_request(block)
        self._enter_work()
        if not self._shared.delay_refusal(self, status):
            self.send_refusal(status)
        return True

    def _refuse_early(self) -> bool:
        """Refuse a request that is whole, and make none of it; False: it has to be served."""
        reader = self._reader
        ahead = len(reader.trailing_data) - (0 if reader.is_complete else reader.length)
        is_whole = reader.is_complete or (reader.length > 0 and ahead >= 0)
        if not is_whole or ahead > limits.UNCOUNTED_BYTES_MAX:
            return False
        server = self._shared.server
        if not server.can_refuse_early(reader.method.decode(), reader.path):
            return False
        status = server.refusal_status(reader.block)
        if not status:
            return False
        if not reader.is_complete:
            reader.take_body(reader.trailing_data)
        self._enter_work()
        if not self._shared.delay_refusal(self, status):
            self.send_refusal(status)
        return True

    def send_refusal(self, status: int) -> None:
        """Answer the request that was refused at once, unless the client has gone."""
        if self._state != ACTIVE:
            return
        if self._keep_alive and not self._shared.is_stopping:
            self._has_response = True
            data = self._shared.prepared_refusal(status)
            self._send(data)
            if self.is_write_paused and not self._reserve_response(len(data)):
                self.abort()
        else:
            lines, body = self._shared.server.refusal_parts(status)
            lines += self._shared.server.count_refusal(status)
            self.start_response(status, lines, body, closes=False)
        self.finish()

    def _hand_over(self) -> None:
        """Make a WebSocket of the connection, or refuse before its handshake."""
        socket = self._shared.upgrade_to_websocket(self)
        if socket is None:
            self._refuse(503)
            return
        transport, reader = self._transport, self._reader
        handshake = reader.head + reader.trailing_data
        reader.clear()
        # Its bytes are the WebSocket's now: a reservation that stayed would cut that off.
        self._release()
        self._transport = None
        self._state = CLOSED
        self._set_deadline(NEVER)
        transport.set_protocol(socket)
        transport.resume_reading()
        socket.connection_made(transport)
        socket.data_received(handshake)

    def _refuse(self, status: int) -> None:
        """Answer what is no request in the API's shape, and close."""
        self._transport.write(self._shared.closing_refusal(status))
        self._linger(is_broken=True)

    def _next_request(self) -> None:
        """Go on with the next request, if there is one already in the next turn of the loop."""
        self._reader.start_next()
        self._mode = UNREAD
        self._request_bytes = self._head_bytes = 0
        if self._read_ahead:
            if self._reservation is not None:
                self._reserve()
            self._state = QUEUED
            self._set_deadline(NEVER)
            self._shared.loop.call_soon(self._resume_pipelined)
            return
        self._state = IDLE
        if self._shared.is_stopping:
            self._close()
            return
        if self._reservation is not None:
            self._release()
        self._idle_since = self._shared.now
        self._set_deadline(self._idle_since + limits.KEEP_ALIVE_SECONDS)
        self._resume_reading()

    def _resume_pipelined(self) -> None:
        """Begin with what was read ahead."""
        if self._state != QUEUED:
            return
        data, self._read_ahead = self._read_ahead, b""
        self._state = IDLE
        self._set_deadline(self._shared.now + limits.KEEP_ALIVE_SECONDS)
        self._receive(data)
        if self._state <= HEAD:
            self._resume_reading()

    def _authenticated(self) -> None:
        self._shared.mark_authenticated(self)

    # --- Answers --------------------------------------------------------------------------------

    def start_response(self, status: int, lines: bytes, body: bytes, *, closes: bool) -> None:
        """Send header lines, each with its CRLF, and a body, or the beginning of one."""
        if self._state == CLOSED:
            return
        assert not self._has_response
        self._has_response = True
        if self._keep_alive and (closes or self._shared.is_stopping or not self._can_drain()):
            self._keep_alive = False
        end = b"\r\n" if self._keep_alive else _CLOSE
        size = len(body)
        if size > limits.UNRESERVED_ANSWER_BYTES_MAX:
            # On its own: joined to the head it would be in memory twice until it is sent.
            self._send(b"".join((self._shared.status_line(status), lines, end)))
            self._send(body)
        else:
            data = b"".join((self._shared.status_line(status), lines, end, body))
            size = len(data)
            self._send(data)
        if self.is_write_paused and not self._reserve_response(size):
            self.abort()

    def finish(self) -> None:
        """Go on with the next request. Without an answer the connection is cut off."""
        self._task = self._request = None
        if self._state == CLOSED:
            return
        if not self._has_response or self.is_write_paused:
            self.abort()
            return
        self._response_bytes = 0  # The kernel has all of the answer.
        if self._keep_alive and self._reader.is_complete:
            self._next_request()
        elif self._keep_alive:
            self._drain()
        elif self._reader.is_complete and not self._read_ahead and self._body_error is None:
            self._close()
        else:
            self._linger(is_broken=self._body_error is not None)

    def _drain(self) -> None:
        """Drop what is left of the body, and go on behind it."""
        self._state = DRAIN
        self._discarded_bytes = 0
        self._set_deadline(self._shared.now + limits.REQUEST_SECONDS_MAX)
        self._resume_reading()
        ahead = self._release_request()
        if ahead:
            self._discard_body(ahead)

    def _discard_body(self, data: bytes) -> None:
        reader = self._reader
        self._discarded_bytes += len(data)
        try:
            reader.take_body(data)
        except RequestError:
            self._linger(is_broken=True)
            return
        if reader.is_complete and self._state == LINGER:
            self._close()
        elif reader.is_complete:
            self._read_ahead = reader.trailing_data
            self._next_request()
        elif self._discarded_bytes > limits.BODY_BYTES_MAX and self._state == DRAIN:
            self._linger(is_broken=True)

    # --- The end --------------------------------------------------------------------------------

    def _linger(self, *, is_broken: bool) -> None:
        """Close so that the client can read the answer.

        A connection that is closed while the client sends is reset, and the answer is lost. So
        what it sends is dropped for a while: until the end of the body, or, where that cannot be
        found, until the client has seen that we send no more.
        """
        if self._state != LINGER:  # The body may break later.
            self._state = LINGER
            self._set_deadline(self._shared.now + limits.LINGER_SECONDS_MAX)
        ahead = self._release_request()
        self._resume_reading()
        if not is_broken and not self._reader.is_complete:
            if ahead:
                self._discard_body(ahead)
            return
        if self.scheme == "https":  # TLS has no half of a connection.
            self._close(limits.LINGER_SECONDS_MAX)
            return
        self._reader.is_complete = True  # There is nothing to look for.
        self._transport.write_eof()

    @property
    def idle_since(self) -> float | None:
        """Since when no request came; None while there is one."""
        return self._idle_since if self._state == IDLE else None

    @property
    def is_active(self) -> bool:
        """Whether a whole request is, or will be, answered."""
        return self._state in {ACTIVE, QUEUED}

    def stop(self) -> None:
        """The server stops: close what is idle; requests in work are answered."""
        if not self.is_active:
            self._close()

    def _expire(self) -> None:
        if self._state == ACTIVE:
            self._set_deadline(NEVER)
            self._fail(ApiError(20001, "The request body comes too slowly.", status=408))
        else:
            self._close()
