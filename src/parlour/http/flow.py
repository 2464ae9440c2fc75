"""How bytes flow through one connection: turns, backpressure in both directions, deadlines.

Reading stops for two reasons that know nothing of each other: the connection has as much as it may
keep (``_pause_reading``), or it had its share of this turn of the event loop (``_end_turn``).
Writing has no buffer that would be filled on purpose: the transport writes at once and calls
``pause_writing`` if the kernel did not take all, so "not paused" means that the kernel has all.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from parlour.http.messages import GoneError
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.http.connections import Connections

CLOSED: Final = 6
"""The state of a connection that is over. The others are ``Connection``'s."""

NEVER: Final = math.inf


class Flow(asyncio.BufferedProtocol):
    """The flow control of a connection."""

    __slots__ = (
        "_due",
        "_is_reading_paused",
        "_is_turn_over",
        "_sending",
        "_shared",
        "_state",
        "_transport",
        "_unsent_bytes",
        "deadline",
        "is_write_paused",
        "peer",
        "scheme",
    )

    def __init__(self, shared: Connections) -> None:
        self._shared = shared
        self._state = 0
        self._transport: Any = None  # asyncio.Transport; Any saves a cast on each use.
        self._sending: asyncio.Future[None] | None = None
        self._is_reading_paused = False
        self._is_turn_over = False
        self._unsent_bytes = 0
        self._due = NEVER
        """When the state of the connection ends."""
        self.deadline = NEVER
        """The same; while the client takes nothing of an answer, when it has to have begun."""
        self.is_write_paused = False
        self.peer = ""
        self.scheme = "http"

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

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to receive: a buffer of all connections, since bytes are taken from it at once."""
        del sizehint
        return self._shared.scratch

    # --- Deadlines ------------------------------------------------------------------------------

    def _set_due(self, moment: float) -> None:
        """Let the state of the connection end at a moment of the loop's time."""
        self._due = moment
        if not self.is_write_paused:
            self.deadline = moment

    def expire(self) -> None:
        """The deadline has passed."""
        if not self.is_write_paused:
            self._expire()
        elif (unsent := self._transport.get_write_buffer_size()) < self._unsent_bytes:
            self._unsent_bytes = unsent
            self.deadline = self._shared.now + limits.SEND_STALL_SECONDS_MAX
        else:
            self.abort()

    def _expire(self) -> None:
        """End the state whose time is over."""
        raise NotImplementedError

    # --- Reading --------------------------------------------------------------------------------

    def _end_turn(self) -> None:
        """Leave the rest of a long flow of bytes to the next turn, behind everybody else's."""
        if self._is_turn_over or self._state == CLOSED:
            return
        self._is_turn_over = True
        self._transport.pause_reading()
        self._shared.loop.call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        self._is_turn_over = False
        if not self._is_reading_paused and self._state != CLOSED:
            self._transport.resume_reading()

    def _pause_reading(self) -> None:
        if not self._is_reading_paused:
            self._is_reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_reading_paused:
            self._is_reading_paused = False
            if not self._is_turn_over:
                self._transport.resume_reading()

    # --- Writing --------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The kernel did not take all: the client has some time to read."""
        self.is_write_paused = True
        self._unsent_bytes = self._transport.get_write_buffer_size()
        self.deadline = self._shared.now + limits.SEND_STALL_SECONDS_MAX

    def resume_writing(self) -> None:
        """The kernel has taken all."""
        self.is_write_paused = False
        self.deadline = self._due
        if self._sending is not None and not self._sending.done():
            self._sending.set_result(None)

    def write(self, piece: bytes) -> None:
        """Send a further piece of an answer. Raises GoneError."""
        if self._state == CLOSED:
            raise GoneError
        self._transport.write(piece)

    async def sent(self) -> None:
        """Wait until the last byte that was written is with the kernel. Raises GoneError."""
        if self._state == CLOSED:
            raise GoneError
        if self.is_write_paused:
            self._sending = self._shared.loop.create_future()
            await self._sending

    # --- The end --------------------------------------------------------------------------------

    def eof_received(self) -> None:
        """Close: a client that sends no more is taken for one that has gone."""
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        del exc
        self._end()
        self._transport = None

    def _close(self) -> None:
        self._state = CLOSED
        self._transport.close()

    def abort(self) -> None:
        """Cut the connection off, whatever is still to be sent."""
        transport = self._transport
        self._end()
        if transport is not None:
            transport.abort()

    def _end(self) -> None:
        """The client has gone: who waits for it learns of that."""
        self._state = CLOSED
        if self._sending is not None and not self._sending.done():
            self._sending.set_exception(GoneError())
