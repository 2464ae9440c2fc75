"""Memory accounting of one socket, reserved in the byte pool.

It counts the buffers in both directions, and the requests in flight, each with all bytes of its
frame until it ends. A request continues after its client disconnects, and is counted until it ends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.operations.buffers import Reservation


# ==============  ==================================  ==============================================
# state           event                               next
# ==============  ==================================  ==============================================
# open            bytes are buffered                  open; the size is polled each SOCKET_COUNT_MS
# open            the connection is lost              disconnected; closed if there are no requests
# disconnected    the last request ends               closed
# open,           the pool is exhausted, or evicts    closed: nothing is counted any more
# disconnected    the reservation
# ==============  ==================================  ==============================================
class SocketMemory:
    """Keep the reservation of one socket up to date."""

    __slots__ = (
        "_is_disconnected",
        "_measure",
        "_on_exhausted",
        "_reservation",
        "_timer",
        "requests_bytes",
    )

    def __init__(
        self, reservation: Reservation, measure: Callable[[], int], on_exhausted: Callable[[], None]
    ) -> None:
        """Account for one socket.

        ``measure`` returns the number of buffered bytes. ``on_exhausted`` is called when the byte
        pool has no room for them.
        """
        self._reservation = reservation
        self._measure = measure
        self._on_exhausted = on_exhausted
        self._timer: asyncio.TimerHandle | None = None
        self._is_disconnected = False
        self.requests_bytes = 0
        """Total size of the requests in flight."""

    def update(self) -> None:
        """Reserve the current size, and poll it while it is not 0."""
        reservation, reserved = self._reservation, self._reservation.held
        size = self.requests_bytes
        if not self._is_disconnected:
            size += self._measure()
        # Small buffers are not counted: most sockets then never call the pool.
        if size <= limits.SOCKET_UNCOUNTED_BYTES:
            size = 0
        if not reservation.is_open or size == reserved == 0:
            return
        if size < reserved:
            reservation.progress()
        if not reservation.resize(size):
            self._on_exhausted()
        elif size and self._timer is None and not self._is_disconnected:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(limits.SOCKET_COUNT_MS / 1000, self._poll)

    def _poll(self) -> None:
        self._timer = None
        self.update()

    def begin_request(self, size: int) -> None:
        """Add the size of a request."""
        self.requests_bytes += size
        if self.requests_bytes > limits.SOCKET_UNCOUNTED_BYTES:
            self.update()

    def end_request(self, size: int) -> None:
        """Subtract the size of a request."""
        self.requests_bytes -= size
        if self._is_disconnected and not self.requests_bytes:
            self._reservation.close()
        elif self._reservation.held:
            self.update()

    def connection_lost(self) -> None:
        """Count only the requests in flight from now on."""
        self._is_disconnected = True
        if self._timer is not None:
            self._timer.cancel()
        if self.requests_bytes:
            self.update()
        else:
            self._reservation.close()
