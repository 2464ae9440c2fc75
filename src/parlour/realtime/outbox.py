"""What waits to be sent to one client. It is the transport's own buffer; this counts it.

Above ``OUTBOX_HIGH_BYTES`` the outbox is full: nothing more is read from the client, requests of
it that wait for their turn go on waiting, and replays pause. A client that leaves it full for
``STALLED_SECONDS_MAX``, or for which ``OUTBOX_BYTES_MAX`` of notifications arrive meanwhile, is
slow.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable


class ConnectionClosed(Exception):  # noqa: N818 - named after the condition.
    """The connection is over: whatever is done for it may stop."""


class Outbox:
    """The outbox of one connection."""

    __slots__ = (
        "_is_closed",
        "_notification_bytes",
        "_on_growth",
        "_on_slow",
        "_stall_timer",
        "_transport",
        "_waiters",
        "is_full",
        "notified",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        on_slow: Callable[[], None],
        on_growth: Callable[[], None],
    ) -> None:
        """``on_slow`` is called, at most once for each time that it is full.

        ``on_growth`` is called when something was written and much waits.
        """
        self._transport = transport
        self._on_slow = on_slow
        self._on_growth = on_growth
        self._notification_bytes = 0
        self._stall_timer: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._is_closed = False
        self.is_full = False
        self.notified = 0
        """Notifications since this was last set to 0; the client acknowledges each."""

    def write(self, data: bytes) -> None:
        """Send what the client asked for.

        Large answers are written in pieces: the transport keeps a piece until all of it is sent.
        """
        if len(data) <= limits.OUTBOX_PIECE_BYTES:
            self._transport.write(data)
        else:
            for begin in range(0, len(data), limits.OUTBOX_PIECE_BYTES):
                self._transport.write(data[begin : begin + limits.OUTBOX_PIECE_BYTES])
        if self._transport.get_write_buffer_size() > limits.SOCKET_UNCOUNTED_BYTES:
            self._on_growth()

    def __len__(self) -> int:
        """How many bytes wait."""
        return self._transport.get_write_buffer_size()

    def push(self, wire: bytes) -> None:
        """Send notifications: up to two in one write."""
        self.notified += 2
        self.write(wire)
        if self.is_full:
            self._notification_bytes += len(wire)
            if self._notification_bytes > limits.OUTBOX_BYTES_MAX:
                self._report_slow()

    async def drain(self) -> None:
        """Wait until it is not full. Raises Gone when the connection is over."""
        while self.is_full and not self._is_closed:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self._is_closed:
            raise ConnectionClosed

    # --- What the socket calls --------------------------------------------------------------

    def pause(self) -> None:
        """It is full: the client gets some time to catch up."""
        self.is_full = True
        if not self._is_closed:
            loop = asyncio.get_running_loop()
            self._stall_timer = loop.call_later(limits.STALLED_SECONDS_MAX, self._report_slow)

    def resume(self) -> None:
        """The client has caught up."""
        self.is_full = False
        self._notification_bytes = 0
        self._cancel_timer()
        self._resolve_waiters()

    def release(self) -> None:
        """The connection is over: stop waiting for the client."""
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
