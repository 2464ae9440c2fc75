"""Flow control of one connection: backpressure in both directions, fairness, deadlines.

Reading is paused for two independent reasons: the buffer is full (``_pause_reading``), or the
connection has used its share of this turn of the event loop (``_yield_reading``). Writing has a
high-water mark of 0: the transport writes at once and calls ``pause_writing`` if the kernel did not
take everything, so "not paused" means that the kernel has the whole response.

Buffered bytes beyond ``UNCOUNTED_BYTES_MAX`` are reserved in the process's buffer pool
(``operations/buffers.py``). The pool cuts the connection if others need the space: another account,
another user of the same account, or the same user if this exchange is the slowest of them.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from parlour.http.connection_states import CLOSED, DRAIN, IDLE, LINGER
from parlour.http.messages import ClientDisconnectedError
from parlour.vocabulary import limits
from parlour.vocabulary.errors import RETRY_AFTER, ApiError

if TYPE_CHECKING:
    from parlour.http.connections import HttpConnections
    from parlour.operations.buffers import Reservation

NEVER: Final = math.inf
_NOTHING: Final = memoryview(b"")


def reset_on_close(transport: asyncio.BaseTransport) -> None:
    """Let the abort of a transport reset its connection (RST), instead of ending its data."""
    found = transport.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# Write states of a connection; for "the state's deadline" see connection_states.py.
#
# =====================  =================================================  =======================
# write state            event                                              deadline
# =====================  =================================================  =======================
# flushed                ``pause_writing``: paused                          the state's deadline
# paused                 ``resume_writing``: flushed, or next TLS write     SEND_STALL_SECONDS_MAX,
#                                                                           extended by progress
# paused, no progress    deadline: aborted                                  the write timeout
# =====================  =================================================  =======================
#
# Progress is any byte that the kernel took since the last check, so a slow client is not aborted,
# and a stalled one is.
class FlowControl(ABC, asyncio.BufferedProtocol):
    """The part of a connection that owns its transport, timeouts and buffer reservation.

    The asyncio class has no state; asyncio calls ``get_buffer`` and ``buffer_updated`` for reads.
    """

    __slots__ = (
        "_account_sid",
        "_flush_waiter",
        "_has_yielded",
        "_identity",
        "_is_reading_paused",
        "_raw_transport",
        "_reservation",
        "_response_bytes",
        "_shared",
        "_state",
        "_state_deadline",
        "_transport",
        "_unsent",
        "_unsent_bytes",
        "deadline",
        "is_write_paused",
        "peer",
        "scheme",
    )

    def __init__(self, shared: HttpConnections) -> None:
        self._shared = shared
        self._state = IDLE
        self._transport: Any = None  # asyncio.Transport; Any saves a cast on each use.
        self._raw_transport: asyncio.Transport | None = None
        self._flush_waiter: asyncio.Future[None] | None = None
        self._is_reading_paused = False
        self._has_yielded = False
        self._unsent_bytes = 0
        self._unsent = _NOTHING
        """The part of a response that was not passed to TLS yet; non-empty only while paused."""
        self._reservation: Reservation | None = None
        """The reservation of the buffered bytes; None below ``UNCOUNTED_BYTES_MAX``."""
        self._response_bytes = 0
        self._account_sid = ""
        self._identity = ""
        self._state_deadline = NEVER
        """The deadline of the state."""
        self.deadline = NEVER
        """The state's deadline or, while writing is paused, the write timeout."""
        self.is_write_paused = False
        self.peer = ""
        self.scheme = "http"

    def set_raw_transport(self, below: asyncio.Transport) -> None:
        """Set the transport below TLS, before ``connection_made`` with the TLS transport."""
        self._raw_transport = below

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport, and set its high-water mark."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        high = 0
        if transport.get_extra_info("sslcontext") is not None:
            self.scheme = "https"
            high = 1  # TLS stops at "at least" the mark: with 0 it would never resume.
        self._transport.set_write_buffer_limits(high=high)

    # --- Deadlines ------------------------------------------------------------------------------

    def _set_deadline(self, moment: float) -> None:
        """Set the deadline of the state, in the event loop's time."""
        self._state_deadline = moment
        if not self.is_write_paused:
            self.deadline = moment

    def expire(self) -> None:
        """Handle the deadline: abort, close, or extend it after progress."""
        # One deadline serves all timeouts: state and write state determine which has passed.
        if self._state == CLOSED and self._raw_transport is not None:
            self._end_close(self._raw_transport)
        elif not self.is_write_paused:
            self._expire()
        elif self._has_progressed():
            if self._reservation is not None:
                self._reservation.progress()
        else:
            self.abort()

    @abstractmethod
    def _expire(self) -> None:
        """End the state whose deadline has passed."""

    # --- Reading --------------------------------------------------------------------------------

    def _yield_reading(self) -> None:
        """Read the rest of a long stream in the next turn, after the other connections."""
        # Independent of ``_pause_reading``: each flag is cleared by its own event, and reading
        # resumes when both are clear.
        if self._has_yielded or self._state == CLOSED:
            return
        self._has_yielded = True
        self._transport.pause_reading()
        if self._state in {DRAIN, LINGER}:
            # Discarded bytes are read at a reduced rate: they are of no use to any client.
            self._shared.loop.call_later(limits.UNWANTED_PAUSE_MS / 1000, self._continue_reading)
        else:
            self._shared.loop.call_soon(self._continue_reading)

    def _continue_reading(self) -> None:
        self._has_yielded = False
        if not self._is_reading_paused and self._state != CLOSED:
            self._transport.resume_reading()

    def _pause_reading(self) -> None:
        if not self._is_reading_paused:
            self._is_reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_reading_paused:
            self._is_reading_paused = False
            if not self._has_yielded:
                self._transport.resume_reading()

    # --- Writing --------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Start the write timeout: the kernel's send buffer is full."""
        self.is_write_paused = True
        self._unsent_bytes = self._count_unsent()
        self.deadline = self._shared.now + limits.SEND_STALL_SECONDS_MAX

    def resume_writing(self) -> None:
        """Stop the write timeout, or write the next part of the response to TLS."""
        self.is_write_paused = False
        if self._unsent:
            # TLS has room again, the kernel not necessarily: the timeout may start over.
            self._send_rest()
            if self.is_write_paused:
                if self._reservation is not None:
                    self._reservation.progress()
                return
        self.deadline = self._state_deadline
        if self._reservation is not None:
            self._reservation.progress()
            self._response_bytes = 0
            self._reserve()
        if self._flush_waiter is not None and not self._flush_waiter.done():
            self._flush_waiter.set_result(None)

    def write(self, piece: bytes) -> None:
        """Write a further part of a response. Raises ClientDisconnectedError."""
        if self._state == CLOSED:
            raise ClientDisconnectedError
        self._send(piece)
        if self.is_write_paused and not self._reserve_response(len(piece)):
            self.abort()
            raise ClientDisconnectedError

    def _send(self, data: bytes) -> None:
        """Write bytes to the transport; to TLS in parts, each after the previous one was sent.

        TLS copies its input, and its buffer does not shrink until the connection is closed.
        """
        if self.scheme == "http" or len(data) <= limits.TLS_PIECE_BYTES:
            self._transport.write(data)
            return
        assert not self._unsent
        self._unsent = memoryview(data)
        self._send_rest()

    def _send_rest(self) -> None:
        size = limits.TLS_PIECE_BYTES
        while self._unsent and not self.is_write_paused:
            piece = self._unsent[:size]
            # An empty slice of a view would keep the whole buffer alive.
            self._unsent = self._unsent[size:] if len(self._unsent) > size else _NOTHING
            self._transport.write(piece)

    def _has_progressed(self) -> bool:
        """Return whether bytes were sent since the last call; if so, extend the write timeout."""
        if not self.is_write_paused or self._transport is None:
            return False
        # New writes only add to the count, so a smaller count means that bytes were sent.
        before, self._unsent_bytes = self._unsent_bytes, self._count_unsent()
        if self._unsent_bytes >= before:
            return False
        self.deadline = self._shared.now + limits.SEND_STALL_SECONDS_MAX
        return True

    def _count_unsent(self) -> int:
        size: int = self._transport.get_write_buffer_size()
        return size + len(self._unsent)

    async def flush(self) -> None:
        """Wait until the kernel has every byte that was written. Raises ClientDisconnectedError."""
        if self._state == CLOSED:
            raise ClientDisconnectedError
        if self.is_write_paused:
            self._flush_waiter = self._shared.loop.create_future()
            try:
                await self._flush_waiter
            finally:
                # Its exception refers to frames, and these refer to the connection.
                self._flush_waiter = None

    # --- Buffer reservations --------------------------------------------------------------------

    @property
    def account_sid(self) -> str:
        """The account of the last request; empty before the first."""
        return self._account_sid

    def assign_account(self, account_sid: str, identity: str) -> None:
        """Reserve the buffers of the connection for this account and user. Raises ApiError 503."""
        if account_sid == self._account_sid and identity == self._identity:
            return
        self._account_sid = account_sid
        self._identity = identity
        self._authenticated()
        reservation = self._reservation
        if reservation is not None and not reservation.assign(account_sid, identity):
            raise ApiError(20503, headers=RETRY_AFTER)

    @abstractmethod
    def _authenticated(self) -> None:
        """Record that a request of this connection was authenticated."""

    @abstractmethod
    def _buffered_bytes(self) -> int:
        """Return the buffered bytes, except for the response."""

    def _reserve(self) -> bool:
        """Resize the reservation to the buffered bytes; return False if the pool is full."""
        size = self._buffered_bytes() + self._response_bytes
        reservation = self._reservation
        if reservation is None:
            # Most connections never reserve: opening a reservation costs more than small buffers.
            if size <= limits.UNCOUNTED_BYTES_MAX:
                return True
            whose = self._account_sid, self._identity or ("" if self._account_sid else self.peer)
            reservation = self._reservation = self._shared.buffers.open(
                self.abort, *whose, self._has_progressed
            )
        return reservation.resize(size)

    def _reserve_response(self, size: int) -> bool:
        """Reserve a response until it is flushed; return False if the pool is full."""
        self._response_bytes = (
            size if self._raw_transport is None else size + limits.TLS_UNSENT_BYTES
        )
        return self._reserve()

    def _release(self) -> None:
        """Close the reservation."""
        self._response_bytes = 0
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None

    async def reserve_buffer(self, size: int) -> None:
        """Wait until the pool has room for a large response. Raises ApiError 503.

        Waiting responses are in memory already, so their total is bounded.
        """
        shared = self._shared
        if self._state == CLOSED:
            raise ClientDisconnectedError
        if self._reserve_response(size):
            return
        # Not part of the reservation while it waits.
        size, self._response_bytes = self._response_bytes, 0
        reservation = self._reservation
        if (
            reservation is None
            or shared.waiting_response_bytes + size > limits.WAITING_ANSWER_BYTES_MAX
        ):
            raise ApiError(20503, headers=RETRY_AFTER)
        shared.waiting_response_bytes += size
        try:
            has_room = await reservation.wait(size)
        finally:
            shared.waiting_response_bytes -= size
        if not has_room:
            raise ApiError(20503, headers=RETRY_AFTER)
        self._response_bytes = size

    # --- Closing --------------------------------------------------------------------------------

    def eof_received(self) -> None:
        """Close: a half-closed connection counts as disconnected."""
        if self.is_write_paused:
            self.abort()  # The unsent response would stay in memory without a reservation.
        else:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release all resources of the connection."""
        del exc
        self._end()
        self._transport = None

    def _close(self, seconds: float = limits.CLOSE_NOTIFY_SECONDS_MAX) -> None:
        """Close after flushing. TLS also waits ``seconds`` for the client's close_notify."""
        self._state = CLOSED
        self._transport.close()
        self._release()
        if self._raw_transport is not None:
            self._set_deadline(self._shared.now + seconds)

    def _end_close(self, below: asyncio.Transport) -> None:
        """Stop waiting for the client's close_notify, unless bytes are unsent."""
        if self._count_unsent() or below.get_write_buffer_size():
            # The TLS transport has its own timeout: SEND_STALL_SECONDS_MAX after the close.
            self.deadline = self._shared.now + limits.CLOSE_NOTIFY_SECONDS_MAX
        else:
            self.abort()

    def abort(self) -> None:
        """Abort the connection; unsent bytes are lost."""
        transport = self._transport
        self._end()
        if transport is not None:
            transport.abort()

    def reset(self) -> None:
        """Abort the connection so that the client gets a reset (RST), not an end of the data."""
        if self._transport is not None:
            reset_on_close(self._transport)
        self.abort()

    def _end(self) -> None:
        """Become CLOSED, and raise ClientDisconnectedError in waiters."""
        self._state = CLOSED
        self._unsent = _NOTHING
        self._release()
        if self._flush_waiter is not None and not self._flush_waiter.done():
            self._flush_waiter.set_exception(ClientDisconnectedError())
