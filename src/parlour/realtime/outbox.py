"""The outbox of one client: the transport's write buffer, with high-water mark and slow readers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable


class ConnectionClosed(Exception):  # noqa: N818 - named after the condition.
    """The connection is closed: work on behalf of it may stop."""

    def __init__(self, fault: str | None = None) -> None:
        """``fault``: the name of the fault of test mode that closed it."""
        super().__init__()
        self.fault = fault


# =======  =====================================  ==================================================
# state    event                                  next
# =======  =====================================  ==================================================
# ready    the buffer exceeds OUTBOX_HIGH_BYTES   full: no input is read, queued requests of the
#                                                 client and replays wait, the stall timer starts
# full     the client has read                    ready: waiters continue
# full     STALLED_SECONDS_MAX elapsed, or        full: the client is reported as slow, once
#          OUTBOX_BYTES_MAX of notifications
#          were written in this state
# any      ``release``                            closed: waiters get ``ConnectionClosed``
# =======  =====================================  ==================================================
class Outbox:
    """The outbox of one connection."""

    __slots__ = (
        "_is_closed",
        "_notification_bytes",
        "_on_growth",
        "_on_slow",
        "_stall_timer",
        "_waiters",
        "is_full",
        "notified",
        "transport",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        on_slow: Callable[[], None],
        on_growth: Callable[[], None],
    ) -> None:
        """``on_slow`` is called at most once per period in which the outbox is full.

        ``on_growth`` is called after a write if more than SOCKET_UNCOUNTED_BYTES are buffered.
        """
        self.transport = transport
        self._on_slow = on_slow
        self._on_growth = on_growth
        self._notification_bytes = 0
        self._stall_timer: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._is_closed = False
        self.is_full = False
        self.notified = 0
        """Notifications since the last reset to 0; the client acknowledges each."""

    def write(self, data: bytes) -> None:
        """Send data of a reply or of the protocol."""
        # In chunks, since the transport frees a chunk only when all of it is sent.
        if len(data) <= limits.OUTBOX_PIECE_BYTES:
            self.transport.write(data)
        else:
            for begin in range(0, len(data), limits.OUTBOX_PIECE_BYTES):
                self.transport.write(data[begin : begin + limits.OUTBOX_PIECE_BYTES])
        if self.transport.get_write_buffer_size() > limits.SOCKET_UNCOUNTED_BYTES:
            self._on_growth()

    def __len__(self) -> int:
        """Return the number of buffered bytes."""
        return self.transport.get_write_buffer_size()

    def push(self, wire: bytes) -> None:
        """Send notifications, up to two in one write."""
        # An upper bound of the frames; used only to refill the input budget.
        self.notified += 2
        self.write(wire)
        if self.is_full:
            self._notification_bytes += len(wire)
            if self._notification_bytes > limits.OUTBOX_BYTES_MAX:
                self._report_slow()

    async def drain(self) -> None:
        """Wait until the outbox is not full. Raises ConnectionClosed."""
        while self.is_full and not self._is_closed:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self._is_closed:
            raise ConnectionClosed

    # --- Called by the WebSocket --------------------------------------------------------------

    def pause(self) -> None:
        """Enter the full state."""
        # The transport's buffer exceeds the high-water mark.
        self.is_full = True
        if not self._is_closed:
            loop = asyncio.get_running_loop()
            self._stall_timer = loop.call_later(limits.STALLED_SECONDS_MAX, self._report_slow)

    def resume(self) -> None:
        """Leave the full state."""
        self.is_full = False
        self._notification_bytes = 0
        self._cancel_timer()
        self._resolve_waiters()

    def release(self) -> None:
        """Enter the closed state."""
        self._is_closed = True
        self._cancel_timer()
        self._resolve_waiters()

    def _report_slow(self) -> None:
        self._cancel_timer()
        if not self._is_closed:
            self._on_slow()

    def _cancel_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _resolve_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
