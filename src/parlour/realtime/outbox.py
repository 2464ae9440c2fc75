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


class Gone(Exception):  # noqa: N818 - named after the condition.
    """The connection is over: whatever is done for it may stop."""


class Outbox:
    """The outbox of one connection."""

    __slots__ = (
        "_count",
        "_is_over",
        "_news_bytes",
        "_slow",
        "_stalled",
        "_transport",
        "_waiters",
        "is_full",
        "notified",
    )

    def __init__(
        self, transport: asyncio.Transport, slow: Callable[[], None], count: Callable[[], None]
    ) -> None:
        """``slow`` is called, at most once for each time that it is full.

        ``count`` is called when something was written and much waits.
        """
        self._transport = transport
        self._slow = slow
        self._count = count
        self._news_bytes = 0
        self._stalled: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._is_over = False
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
            self._count()

    def __len__(self) -> int:
        """How many bytes wait."""
        return self._transport.get_write_buffer_size()

    def push(self, wire: bytes) -> None:
        """Send notifications: up to two in one write."""
        self.notified += 2
        self.write(wire)
        if self.is_full:
            self._news_bytes += len(wire)
            if self._news_bytes > limits.OUTBOX_BYTES_MAX:
                self._give_up()

    async def drained(self) -> None:
        """Wait until it is not full. Raises Gone when the connection is over."""
        while self.is_full and not self._is_over:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self._is_over:
            raise Gone

    # --- What the socket calls --------------------------------------------------------------

    def pause(self) -> None:
        """It is full: the client gets some time to catch up."""
        self.is_full = True
        if not self._is_over:
            loop = asyncio.get_running_loop()
            self._stalled = loop.call_later(limits.STALLED_SECONDS_MAX, self._give_up)

    def resume(self) -> None:
        """The client has caught up."""
        self.is_full = False
        self._news_bytes = 0
        self._cancel_timer()
        self._wake()

    def release(self) -> None:
        """The connection is over: stop waiting for the client."""
        self._is_over = True
        self._cancel_timer()
        self._wake()

    def _give_up(self) -> None:
        self._cancel_timer()
        if not self._is_over:
            self._slow()

    def _cancel_timer(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
