"""How bytes flow through one connection: turns, backpressure in both directions, deadlines.

Reading stops for two reasons that know nothing of each other: the connection has as much as it may
keep (``_pause_reading``), or it had its share of this turn of the event loop (``_yield_reading``).
Writing has no buffer that would be filled on purpose: the transport writes at once and calls
``pause_writing`` if the kernel did not take all, so "not paused" means that the kernel has all.

What the connection keeps beyond ``UNCOUNTED_BYTES_MAX`` is counted in the process's buffers
(``operations/buffers.py``), which may cut it off for an owner below its share.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from parlour.http.messages import ClientDisconnectedError
from parlour.vocabulary import limits
from parlour.vocabulary.errors import RETRY_AFTER, ApiError

if TYPE_CHECKING:
    from parlour.http.connections import HttpConnections
    from parlour.operations.buffers import Reservation

# The states of a connection: connection.py.
IDLE: Final = 0
HEAD: Final = 1
ACTIVE: Final = 2
QUEUED: Final = 3
DRAIN: Final = 4
LINGER: Final = 5
CLOSED: Final = 6

NEVER: Final = math.inf
_NOTHING: Final = memoryview(b"")


class FlowControl(asyncio.BufferedProtocol):
    """The flow control of a connection."""

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
        """What TLS was not given yet of an answer; then writing is paused."""
        self._reservation: Reservation | None = None
        """What the connection keeps, counted; None while that is little."""
        self._response_bytes = 0
        self._account_sid = ""
        self._identity = ""
        self._state_deadline = NEVER
        """When the state of the connection ends."""
        self.deadline = NEVER
        """The same; while the client takes nothing of an answer, when it has to have begun."""
        self.is_write_paused = False
        self.peer = ""
        self.scheme = "http"

    def set_raw_transport(self, below: asyncio.Transport) -> None:
        """Say which transport TLS writes to, before ``connection_made`` with that of TLS."""
        self._raw_transport = below

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection over from the listener."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        high = 0
        if transport.get_extra_info("sslcontext") is not None:
            self.scheme = "https"
            high = 1  # TLS compares by "at least": with 0 it would be paused for ever.
        self._transport.set_write_buffer_limits(high=high)

    # --- Deadlines ------------------------------------------------------------------------------

    def _set_deadline(self, moment: float) -> None:
        """Let the state of the connection end at a moment of the loop's time."""
        self._state_deadline = moment
        if not self.is_write_paused:
            self.deadline = moment

    def expire(self) -> None:
        """The deadline has passed."""
        if self._state == CLOSED and self._raw_transport is not None:
            self._end_close(self._raw_transport)
        elif not self.is_write_paused:
            self._expire()
        elif self._has_progressed():
            if self._reservation is not None:
                self._reservation.progress()
        else:
            self.abort()

    def _expire(self) -> None:
        """End the state whose time is over."""
        raise NotImplementedError

    # --- Reading --------------------------------------------------------------------------------

    def _yield_reading(self) -> None:
        """Leave the rest of a long flow of bytes to the next turn, behind everybody else's."""
        if self._has_yielded or self._state == CLOSED:
            return
        self._has_yielded = True
        self._transport.pause_reading()
        if self._state in {DRAIN, LINGER}:
            # Discarded bytes are read at a reduced rate.
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
        """The kernel did not take all: the client has some time to read."""
        self.is_write_paused = True
        self._unsent_bytes = self._count_unsent()
        self.deadline = self._shared.now + limits.SEND_STALL_SECONDS_MAX

    def resume_writing(self) -> None:
        """The kernel has taken all that the transport was given."""
        self.is_write_paused = False
        if self._unsent:
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
        """Send a further piece of an answer. Raises ClientDisconnectedError."""
        if self._state == CLOSED:
            raise ClientDisconnectedError
        self._send(piece)
        if self.is_write_paused and not self._reserve_response(len(piece)):
            self.abort()
            raise ClientDisconnectedError

    def _send(self, data: bytes) -> None:
        """Hand bytes to the transport; to TLS in pieces, each when the one before has gone on.

        TLS copies what it is given, and keeps that much room until the connection ends.
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
            # An empty part of a view would keep all of it.
            self._unsent = self._unsent[size:] if len(self._unsent) > size else _NOTHING
            self._transport.write(piece)

    def _has_progressed(self) -> bool:
        """Whether the client has taken some of an answer since this was last asked.

        If so, it has time again for the next bytes.
        """
        if not self.is_write_paused or self._transport is None:
            return False
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
                # Its exception keeps the frames that it passed, and they keep this connection.
                self._flush_waiter = None

    # --- What is kept ---------------------------------------------------------------------------

    @property
    def account_sid(self) -> str:
        """The account of the last request; empty before the first."""
        return self._account_sid

    def assign_account(self, account_sid: str, identity: str) -> None:
        """Count what is buffered here for this account and user. Raises ApiError 503."""
        if account_sid == self._account_sid and identity == self._identity:
            return
        self._account_sid = account_sid
        self._identity = identity
        self._authenticated()
        reservation = self._reservation
        if reservation is not None and not reservation.assign(account_sid, identity):
            raise ApiError(20503, headers=RETRY_AFTER)

    def _authenticated(self) -> None:
        """A request of this connection was an account's."""
        raise NotImplementedError

    def _buffered_bytes(self) -> int:
        """How many bytes the connection keeps in memory, but for what it has to send."""
        raise NotImplementedError

    def _reserve(self) -> bool:
        """Count what the connection keeps now; False if the buffers of the process are full."""
        size = self._buffered_bytes() + self._response_bytes
        reservation = self._reservation
        if reservation is None:
            if size <= limits.UNCOUNTED_BYTES_MAX:
                return True
            whose = self._account_sid, self._identity or ("" if self._account_sid else self.peer)
            reservation = self._reservation = self._shared.buffers.open(
                self.abort, *whose, self._has_progressed
            )
        return reservation.resize(size)

    def _reserve_response(self, size: int) -> bool:
        """Count an answer that the kernel did not take; all of it is kept until it has."""
        self._response_bytes = (
            size if self._raw_transport is None else size + limits.TLS_UNSENT_BYTES
        )
        return self._reserve()

    def _release(self) -> None:
        """Nothing is kept any more."""
        self._response_bytes = 0
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None

    async def reserve_buffer(self, size: int) -> None:
        """Wait for room in the buffers for an answer that is large. Raises ApiError 503.

        Those that wait have their answers already; if there are many, the next is refused at once.
        """
        shared = self._shared
        if self._state == CLOSED:
            raise ClientDisconnectedError
        if self._reserve_response(size):
            return
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

    # --- The end --------------------------------------------------------------------------------

    def eof_received(self) -> None:
        """Close: a client that sends no more is taken for one that has gone."""
        if self.is_write_paused:
            self.abort()  # What it has not read would be kept, and counted no more.
        else:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        del exc
        self._end()
        self._transport = None

    def _close(self, seconds: float = limits.CLOSE_NOTIFY_SECONDS_MAX) -> None:
        """Close when all is sent. TLS also waits for the client's close_notify, for so long."""
        self._state = CLOSED
        self._transport.close()
        self._release()
        if self._raw_transport is not None:
            self._set_deadline(self._shared.now + seconds)

    def _end_close(self, below: asyncio.Transport) -> None:
        """Stop waiting for the client's close_notify, unless there is something left to send."""
        if self._count_unsent() or below.get_write_buffer_size():
            # TLS ends this by itself, SEND_STALL_SECONDS_MAX after the close.
            self.deadline = self._shared.now + limits.CLOSE_NOTIFY_SECONDS_MAX
        else:
            self.abort()

    def abort(self) -> None:
        """Cut the connection off, whatever is still to be sent."""
        transport = self._transport
        self._end()
        if transport is not None:
            transport.abort()

    def _end(self) -> None:
        """The client has gone: who waits for it learns of that."""
        self._state = CLOSED
        self._unsent = _NOTHING
        self._release()
        if self._flush_waiter is not None and not self._flush_waiter.done():
            self._flush_waiter.set_exception(ClientDisconnectedError())
