"""What one socket makes the server hold in memory, reserved in the byte pool.

That is what waits in both directions, and the requests in work: each counts with all bytes of its
frame until it is over. A request goes on when its client has gone, so it is counted until then.

=======  ===========================  ====================================================
state    event                        next
=======  ===========================  ====================================================
open     something waits              open, and its size is looked at again soon
open     the connection is lost       gone; closed if no request is in work
gone     the last request is over     closed
open,    the pool has no room, or     closed: nothing is counted any more
gone     gives it to another one
=======  ===========================  ====================================================
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.operations.buffers import Reservation


class SocketMemory:
    """Keeps the reservation of one socket up to date."""

    __slots__ = (
        "_is_gone",
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
        self._is_gone = False
        self.requests_bytes = 0
        """Bytes of the requests in work."""

    def update(self) -> None:
        """Reserve what is held now. While there is some it is looked at again soon."""
        reservation, was = self._reservation, self._reservation.held
        size = self.requests_bytes
        if not self._is_gone:
            size += self._measure()
        if size <= limits.SOCKET_UNCOUNTED_BYTES:
            size = 0
        if not reservation.is_open or size == was == 0:
            return
        if size < was:
            reservation.progress()
        if not reservation.resize(size):
            self._on_exhausted()
        elif size and self._timer is None and not self._is_gone:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(limits.SOCKET_COUNT_MS / 1000, self._poll)

    def _poll(self) -> None:
        self._timer = None
        self.update()

    def begin_request(self, size: int) -> None:
        """Count a request of so many bytes."""
        self.requests_bytes += size
        if self.requests_bytes > limits.SOCKET_UNCOUNTED_BYTES:
            self.update()

    def end_request(self, size: int) -> None:
        """Count a request no more."""
        self.requests_bytes -= size
        if self._is_gone and not self.requests_bytes:
            self._reservation.close()
        elif self._reservation.held:
            self.update()

    def connection_lost(self) -> None:
        """The connection is gone: only its requests in work are counted from now on."""
        self._is_gone = True
        if self._timer is not None:
            self._timer.cancel()
        if self.requests_bytes:
            self.update()
        else:
            self._reservation.close()
