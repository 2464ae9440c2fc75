"""Frames that a fault holds: the transport of an outbox, which writes later and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.vocabulary import limits

if TYPE_CHECKING:
    import asyncio


class HeldTransport:
    """The transport of an outbox until the hold ends, in place of the real one.

    It has the two methods that an outbox calls. Beyond FAULT_HELD_BYTES_MAX it holds no more.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._held: list[bytes] = []
        self._bytes = 0
        self._is_over = False

    def write(self, data: bytes) -> None:
        """Hold data, or write it once the hold is over."""
        if self._is_over:
            self.transport.write(data)
            return
        self._held.append(data)
        self._bytes += len(data)
        if self._bytes > limits.FAULT_HELD_BYTES_MAX:
            self.end()

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes that the client has not got."""
        return self.transport.get_write_buffer_size() + self._bytes

    def end(self) -> None:
        """Write the held frames, in order; from now on everything at once."""
        self._is_over = True
        held, self._held, self._bytes = self._held, [], 0
        if not self.transport.is_closing():
            for data in held:
                self.transport.write(data)

    def discard(self) -> None:
        """Drop the held frames: after a reset no earlier frame is sent."""
        self._held, self._bytes = [], 0

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the transport."""
        return getattr(self.transport, name)
