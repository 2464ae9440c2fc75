"""TLS handshakes of the server's port.

A connection counts from the moment it is accepted, so it is accepted without TLS. TLS begins with
its first bytes; until then it costs as little memory as a connection without TLS. The caps treat
it like one that has sent no request: it belongs to no account, and it is closed when it is among
the oldest and there is no room. Started handshakes cost more, and have a separate cap.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from parlour.http.connection import HttpConnection
from parlour.vocabulary import limits

if TYPE_CHECKING:
    import ssl

    from parlour.http.connections import HttpConnections


class TlsHandshakes:
    """The running TLS handshakes of one process, the oldest first."""

    def __init__(self, shared: HttpConnections, context: ssl.SSLContext) -> None:
        self.shared = shared
        self.context = context
        self._running: dict[TlsHandshake, None] = {}

    def make_protocol(self) -> TlsHandshake:
        """Return the protocol of an accepted connection."""
        return TlsHandshake(self)

    def begin(self, handshake: TlsHandshake) -> None:
        """Count a started handshake; abort the oldest beyond the cap."""
        self._running[handshake] = None
        if len(self._running) > limits.HANDSHAKES_MAX:
            oldest = next(iter(self._running))
            oldest.abort()
            self.end(oldest)

    def end(self, handshake: TlsHandshake) -> None:
        """Stop counting a handshake."""
        self._running.pop(handshake, None)


# States of a connection before it has an ``HttpConnection``:
#
# =========  ===================================  ============================================
# state      what ends it                         what follows
# =========  ===================================  ============================================
# accepted   a cap is reached                     closed, without a response
#            the first bytes                      handshake
# handshake  it is completed                      an ``HttpConnection`` takes its slot
#            it fails, or the client disconnects  closed
#            it is the oldest of too many         closed
# both       ``HEAD_SECONDS_MAX``, stop, caps     closed
# =========  ===================================  ============================================
class TlsHandshake(asyncio.BufferedProtocol):
    """A connection whose TLS handshake is not completed."""

    __slots__ = (
        "_buffered",
        "_handshakes",
        "_has_started",
        "_is_closed",
        "_shared",
        "_successor",
        "_transport",
        "deadline",
        "idle_since",
        "peer",
    )

    is_active = False
    waits_for_client = False  # Counted as idle.
    account_sid = ""

    def __init__(self, handshakes: TlsHandshakes) -> None:
        self._handshakes = handshakes
        self._shared = shared = handshakes.shared
        self._transport: Any = None  # asyncio.Transport, below TLS.
        self._buffered = b""
        """Bytes for TLS, then for the connection."""
        self._has_started = False
        self._successor: HttpConnection | None = None
        self._is_closed = False
        self.idle_since = shared.now
        self.deadline = shared.now + limits.HEAD_SECONDS_MAX
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count an accepted connection, and wait for its first bytes."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        if not self._shared.add(self):
            self.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the receive buffer."""
        del sizehint
        return self._shared.receive_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Start TLS with the first bytes; buffer those before the replacement."""
        self._buffered += self._shared.receive_buffer[:nbytes]
        self._transport.pause_reading()
        if self._has_started:
            return
        self._has_started = True
        self._handshakes.begin(self)
        loop = self._shared.loop
        self._shared.start_task(self._run())
        # The loop runs in this order, and reads no socket between the last three: ``_run``, which
        # replaces the transport's protocol; ``connection_made`` of the new one;
        # ``resume_reading``; ``_feed``.
        loop.call_soon(loop.call_soon, self._feed)

    def _feed(self) -> None:
        """Pass the first bytes to TLS."""
        protocol = self._transport.get_protocol()
        if self._is_closed or protocol is self:
            return
        data, self._buffered = self._buffered, b""
        protocol.get_buffer(len(data))[: len(data)] = data
        protocol.buffer_updated(len(data))

    async def _run(self) -> None:
        """Complete the handshake, and replace this protocol by a connection."""
        transport = None
        try:
            if not self._transport.is_closing():
                transport = await self._shared.loop.start_tls(
                    self._transport,
                    self,
                    self._handshakes.context,
                    server_side=True,
                    ssl_handshake_timeout=limits.HEAD_SECONDS_MAX,
                    ssl_shutdown_timeout=limits.SEND_STALL_SECONDS_MAX,
                )
        except OSError:  # Failed by the client, or disconnected.
            self.abort()
        finally:
            self._handshakes.end(self)
            # start_tls does not raise for an aborted handshake.
            if transport is None or self._is_closed or transport.is_closing():
                self.abort()
                self._shared.discard(self)
                transport = None
        if transport is not None:
            self._hand_over(transport)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        # In this order: the slot, the protocol, ``connection_made``, then bytes that arrived early.
        connection = self._successor = HttpConnection(self._shared)
        self._shared.replace(self, connection)
        transport.set_protocol(connection)
        connection.set_raw_transport(self._transport)
        connection.connection_made(transport)
        if self._buffered:
            size = len(self._buffered)
            connection.get_buffer(size)[:size] = self._buffered
            connection.buffer_updated(size)
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the slot. TLS may have scheduled this before the replacement."""
        self._is_closed = True
        if self._successor is not None:
            self._successor.connection_lost(exc)
        self._shared.discard(self)

    # --- Interface for ``HttpConnections`` ------------------------------------------------------

    def abort(self) -> None:
        """Close the connection at once."""
        self._is_closed = True
        self._transport.abort()

    expire = stop = abort
