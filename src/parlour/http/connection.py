"""One HTTP/1.1 connection: bytes in, one request at a time, responses out.

The sans-I/O reader of ``protocol/http_request.py`` parses the bytes; this is the I/O around it. All
connections receive into one buffer of the process and copy from it at once, so an idle connection
buffers nothing.

The states and their transitions are in ``connection_states.py``.

A request that the server has no room for, or whose login failed within the last second, is ACTIVE
without a task: it gets a prepared error response at once, or within ``REFUSAL_DELAY_MS_MAX``.

After a WebSocket upgrade the transport belongs to the WebSocket; this object is CLOSED.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.http.body_reader import UNREAD
from parlour.http.connection_states import ACTIVE, CLOSED, DRAIN, HEAD, IDLE, LINGER, QUEUED
from parlour.http.console_requests import CONSOLE_ROOT, is_console_head
from parlour.http.eager import run_eagerly
from parlour.http.flow_control import NEVER
from parlour.http.lingering_close import LingeringClose
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


# Invariants:
# - At most one request is active.
# - At most READ_BYTES_MAX are read per turn of the event loop, and as much pipelined data is
#   buffered: ``get_buffer`` offers no more room.
# - No byte of a request stays buffered after its response.
# - A pipelined request starts in a later turn, after the requests of other connections.
#
# The class is split by concern, each the parent of the next: FlowControl (transport, buffers,
# timeouts), BodyReader, LingeringClose, HttpConnection (heads, responses, transitions).
class HttpConnection(LingeringClose):
    """One client connection; for a request, its ``Exchange``."""

    __slots__ = (
        "_has_response",
        "_idle_since",
        "_task",
    )

    def __init__(self, shared: HttpConnections) -> None:
        super().__init__(shared)
        self._task: asyncio.Task[None] | None = None
        self._has_response = False
        self._idle_since = shared.now

    # --- Callbacks of the event loop ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline of the first head; close the connection beyond the caps."""
        # The parent sets peer, scheme and the high-water mark.
        super().connection_made(transport)
        self._set_deadline(self._shared.now + limits.HEAD_SECONDS_MAX)
        if not self._shared.add(self):
            # The request is not read: it may be for the console, whose responses have no CORS.
            self._transport.write(self._shared.closing_refusal(503, for_console=True))
            self._close()

    def buffer_updated(self, nbytes: int) -> None:
        """Dispatch received bytes by state."""
        data = bytes(self._shared.receive_buffer[:nbytes])
        state = self._state
        if state <= HEAD:
            # Under overload a cached header block decides before anything is parsed, so that a
            # refusal stays cheaper than a request.
            if state == HEAD or self._shared.server.work.has_room or not self._refuse_cached(data):
                self._receive(data)
        elif state == ACTIVE and self._mode and not self._reader.is_complete:
            self._take_body(data)
        elif state <= QUEUED:
            # Pipelined, or a body that is not read yet: one buffer, then backpressure.
            self._read_ahead += data
            self._pause_reading()
            if not self._reserve():
                self.abort()
        elif state == DRAIN or (state == LINGER and not self._reader.is_complete):
            self._discard_body(data)
        if nbytes == limits.READ_BYTES_MAX:
            # The buffer was filled, so there is probably more: other connections come first.
            self._yield_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release all resources of the connection."""
        # The parents fail the waiters and release buffers; the slot in the caps is released last.
        super().connection_lost(exc)
        self._shared.discard(self)

    # --- Heads ----------------------------------------------------------------------------------

    def _receive(self, data: bytes) -> None:
        """Parse bytes in IDLE or HEAD."""
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
            # Once per head: slow bytes do not extend the deadline.
            self._state = HEAD
            self._set_deadline(self._shared.now + limits.HEAD_SECONDS_MAX)
        if not self._reserve():
            self._refuse(503)

    def _begin(self) -> None:
        """Start the request whose head was received."""
        reader = self._reader
        if (
            b"upgrade" in reader.headers
            and reader.wants_websocket
            and not reader.path.startswith(CONSOLE_ROOT)
        ):
            self._hand_over()
            return
        server = self._shared.server
        if not server.work.has_room and self._refuse_early():
            return
        method, path = reader.method.decode(), reader.path
        endpoint = server.routes.find(path, method)
        request = Request(method, path, reader.query, reader.block, self, endpoint)
        # A small body often arrives in the same segment as its head: no further read is needed.
        if reader.is_complete:
            request.has_body = True
        elif 0 < reader.length <= len(reader.trailing_data) and reader.method == b"POST":
            request.body = reader.take_body(reader.trailing_data)
            request.has_body = True
        self._enter_work()
        self._request_bytes = len(request.body)
        buffered = self._head_bytes + self._request_bytes + len(self._read_ahead)
        if buffered > limits.UNCOUNTED_BYTES_MAX and not self._reserve():
            self._refuse(503, path)
            return
        self._request = request
        account_sid = server.cached_account(request)
        if not request.has_body and reader.method == b"POST" and server.buffers_body_first(request):
            # Until the body is complete the request is these bytes only: no task, no slot.
            self._buffer_body(request)
            return
        if account_sid is None:
            self._start_unauthenticated(request)
        else:
            self._start(request, account_sid)

    def _enter_work(self) -> None:
        reader = self._reader
        # Small heads are not counted: most requests never touch the buffer pool.
        size = len(reader.head) + reader.block.object_bytes
        self._head_bytes = size if size > limits.UNCOUNTED_BYTES_MAX else 0
        # In one buffer: pipelined bytes are joined with those that follow.
        self._read_ahead, reader.head, reader.trailing_data = reader.trailing_data, b"", b""
        self._state = ACTIVE
        self._keep_alive = reader.keep_alive
        self._has_response = False
        # A running operation has no deadline here; reading its body and writing set their own.
        self._set_deadline(NEVER)

    def _start_unauthenticated(self, request: Request) -> None:
        """Start a request without a cached login, unless its login is a cached failure."""
        if not self._shared.server.has_known_wrong_login(request):
            # Selects the fair queue only; grants no access.
            self._start(request, self._account_sid or _UNKNOWN_LOGIN)
        else:
            self._request = None
            if not self._shared.delay_refusal(self, 401):
                self.send_refusal(401)

    def _start(self, request: Request, account_sid: str) -> None:
        # Admitted before it is scheduled: queued requests count towards the limits as well.
        self._shared.server.admit(request)
        identity = self._identity if request.caller is None else request.caller.identity or ""
        self._shared.scheduler.start(self, request, account_sid, identity)

    def run_request(self, request: Request) -> bool:
        """Run a request that the scheduler starts; return False if its client has disconnected."""
        if self._state == CLOSED:
            # Disconnected while queued: the slots are released, and the operation does not run.
            self._shared.server.release(request)
            return False
        loop, server = self._shared.loop, self._shared.server
        if server.can_run_eagerly(request):
            request.is_running = True
            self._task = run_eagerly(loop, server.serve(request))
        elif server.needs_login_lookup(request):
            self._login_lookup = loop.create_task(self._look_up_login(request))
        else:
            request.is_running = True
            self._task = loop.create_task(server.serve(request))
        return True

    async def _look_up_login(self, request: Request) -> None:
        """Look up the login of a request, and schedule the request again.

        One lookup serves all requests with the same login. If they were not scheduled again, all
        of them would continue in the turn in which it ends.
        """
        await self._shared.server.look_up_login(request)
        if self._login_lookup is None:
            return  # The client has disconnected, and the request was released.
        self._login_lookup = None
        caller = request.caller
        if caller is None:
            self._shared.scheduler.start(self, request, _UNKNOWN_LOGIN)
        else:
            self._shared.scheduler.start(self, request, caller.owner, caller.identity or "")

    def _refuse_cached(self, data: bytes) -> bool:
        """Refuse a complete request with cached headers before a ``Request`` is created."""
        block = self._reader.find_cached_request(data)
        if block is None or data.startswith(PUBLIC_REQUEST_STARTS) or is_console_head(data):
            return False
        status = self._shared.server.refusal_status(block)
        if not status:
            return False
        # From here on the bytes are consumed, so the request must be refused.
        self._reader.take_cached_request(block)
        self._enter_work()
        if not self._shared.delay_refusal(self, status):
            self.send_refusal(status)
        return True

    def _refuse_early(self) -> bool:
        """Refuse a complete request without creating a ``Request``; False: it must be served."""
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
        """Send a prepared error response, unless the client has disconnected."""
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
        """Upgrade the connection to a WebSocket, or refuse before its handshake."""
        if not self._shared.server.allows_upgrade(self._reader.block, self._reader.path):
            self._refuse(403)
            return
        socket = self._shared.upgrade_to_websocket(self)
        if socket is None:
            self._refuse(503)
            return
        # The WebSocket parses the handshake itself, from the same bytes.
        transport, reader = self._transport, self._reader
        handshake = reader.head + reader.trailing_data
        reader.clear()
        # A reservation that stayed open could abort the WebSocket later.
        self._release()
        self._transport = None
        self._state = CLOSED
        self._set_deadline(NEVER)
        transport.set_protocol(socket)
        transport.resume_reading()
        socket.connection_made(transport)
        socket.data_received(handshake)

    def _refuse(self, status: int, path: str = "") -> None:
        """Send an error response to malformed bytes, or to a request for a path, and close."""
        for_console = path.startswith(CONSOLE_ROOT) or is_console_head(self._reader.head_start)
        self._transport.write(self._shared.closing_refusal(status, for_console=for_console))
        self._linger(is_broken=True)

    def _next_request(self) -> None:
        """Become IDLE, or schedule the pipelined request for the next turn of the event loop."""
        self._reader.start_next()
        self._mode = UNREAD
        self._request_bytes = self._head_bytes = 0
        if self._read_ahead:
            if self._reservation is not None:
                self._reserve()
            self._state = QUEUED
            self._set_deadline(NEVER)
            # Fairness: requests of other connections that are ready run first.
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
        """Parse the pipelined bytes."""
        if self._state != QUEUED:
            return  # Closed or aborted since it was scheduled.
        data, self._read_ahead = self._read_ahead, b""
        self._state = IDLE
        self._set_deadline(self._shared.now + limits.KEEP_ALIVE_SECONDS)
        self._receive(data)
        # Reading stays paused while the next request is active: backpressure for pipelining.
        if self._state <= HEAD:
            self._resume_reading()

    def _authenticated(self) -> None:
        self._shared.mark_authenticated(self)

    # --- Responses ------------------------------------------------------------------------------

    def start_response(self, status: int, lines: bytes, body: bytes, *, closes: bool) -> None:
        """Send header lines, each with its CRLF, and a body or its first part."""
        if self._state == CLOSED:
            return
        assert not self._has_response
        self._has_response = True
        # The decision is final once the header is sent; ``finish`` acts on it.
        if self._keep_alive and (closes or self._shared.is_stopping or not self._can_drain()):
            self._keep_alive = False
        end = b"\r\n" if self._keep_alive else _CLOSE
        size = len(body)
        if size > limits.UNRESERVED_ANSWER_BYTES_MAX:
            # Written separately: joined to the head it would be in memory twice until sent.
            self._send(b"".join((self._shared.status_line(status), lines, end)))
            self._send(body)
        else:
            data = b"".join((self._shared.status_line(status), lines, end, body))
            size = len(data)
            self._send(data)
        if self.is_write_paused and not self._reserve_response(size):
            self.abort()

    def finish(self) -> None:
        """Continue with the next request. Without a response the connection is aborted."""
        self._task = self._request = None
        if self._state == CLOSED:
            return
        if not self._has_response or self.is_write_paused:
            # The response is missing or incomplete, and cannot be completed.
            self.abort()
            return
        self._response_bytes = 0  # The kernel has the whole response.
        # Which transition of ACTIVE (connection_states.py): by keep-alive and unread body.
        if self._keep_alive and self._reader.is_complete:
            self._next_request()
        elif self._keep_alive:
            self._drain()
        elif self._reader.is_complete and not self._read_ahead and self._body_error is None:
            self._close()
        else:
            self._linger(is_broken=self._body_error is not None)

    # --- Closing --------------------------------------------------------------------------------

    @property
    def can_chunk(self) -> bool:
        """Whether the client understands a response in chunks: not over HTTP/1.0."""
        return not self._reader.is_http_1_0

    @property
    def idle_since(self) -> float | None:
        """The time since which the connection is idle; None while it has a request."""
        return self._idle_since if self._state == IDLE else None

    @property
    def is_active(self) -> bool:
        """Whether a complete request is active or queued."""
        return self._state in {ACTIVE, QUEUED}

    def stop(self) -> None:
        """Close the connection at shutdown, unless a request is active."""
        if not self.is_active:
            self._close()

    def _expire(self) -> None:
        # In ACTIVE only the body has a deadline; ``FlowControl.expire`` handles write timeouts.
        if self._state == ACTIVE:
            self._set_deadline(NEVER)
            self._fail(ApiError(20001, "The request body comes too slowly.", status=408))
        else:
            self._close()
