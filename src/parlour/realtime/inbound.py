"""Input of one WebSocket client: framing and rate limit, without I/O.

``FrameReader`` splits the byte stream into frames, and ``InputBudget`` is the rate limit.
"""

from __future__ import annotations

from typing import Final

from parlour.realtime.wire import is_plain, payload_bounds
from parlour.vocabulary import limits

_HEAD_BYTES_MIN: Final = 2


# Time is linear in the bytes, however small the chunks: each byte is copied a bounded number of
# times.
class FrameReader:
    """Split a byte stream into WebSocket frames, each once it is complete."""

    __slots__ = ("_begin", "_stream")

    def __init__(self) -> None:
        self._stream: bytes | bytearray = b""
        self._begin = 0

    def __len__(self) -> int:
        """Return the number of buffered bytes."""
        return len(self._stream)

    def feed(self, data: bytes) -> None:
        """Append bytes to the stream."""
        if not self._stream:
            self._stream = data
            return
        # A bytearray grows in place, and drops its start without a copy.
        if not isinstance(self._stream, bytearray):
            self._stream = bytearray(memoryview(self._stream)[self._begin :])
        elif self._begin:
            del self._stream[: self._begin]
        self._begin = 0
        self._stream += data

    def next_frame(self) -> bytes | None:
        """Return the next complete frame; None until more bytes are fed.

        Of a frame above the size limit of a message only the head is returned, at once; the library
        rejects it.
        """
        stream, begin = self._stream, self._begin
        size = len(stream)
        end = self._next_end()
        if end > size:
            if begin:
                # Free the consumed bytes now, as the rest may arrive late. Each byte is copied once
                # at most, since the start stays in place until this frame is complete.
                self._stream, self._begin = bytes(memoryview(stream)[begin:]), 0
            return None
        frame = bytes(memoryview(stream)[begin:end]) if end - begin < size else bytes(stream)
        if end == size:
            self.clear()
        else:
            self._begin = end
        return frame

    def _next_end(self) -> int:
        """Return the end of the next frame: behind the end of the stream while it is incomplete."""
        stream, begin = self._stream, self._begin
        if len(stream) - begin < _HEAD_BYTES_MIN:
            return begin + _HEAD_BYTES_MIN
        payload_begin, payload_bytes = payload_bounds(stream, begin)
        if payload_bytes > limits.SOCKET_MESSAGE_BYTES_MAX:
            return payload_begin
        return payload_begin + payload_bytes

    def clear(self) -> None:
        """Drop the buffer."""
        self._stream, self._begin = b"", 0


class TokenBucket:
    """A rate limit with a burst: unused tokens accumulate up to a maximum."""

    __slots__ = ("_left", "_most", "_per_second")

    def __init__(self, per_second: float, seconds: float) -> None:
        self._per_second = per_second
        self._left = self._most = per_second * seconds

    def refill(self, seconds: float) -> None:
        """Add the tokens of an elapsed time."""
        self._left = min(self._most, self._left + self._per_second * seconds)

    def add(self, amount: float) -> None:
        """Add tokens once."""
        self._left = min(self._most, self._left + amount)

    def spend(self, amount: float) -> bool:
        """Take tokens; return whether there were enough."""
        self._left -= amount
        return self._left >= 0


# state            limits
# ---------------  -----------------------------------------------------------
# unauthenticated  INIT_BYTES_MAX and INIT_FRAMES_MAX in total
# authenticated    SOCKET_*_PER_SECOND; refilled by time and by notifications
#
# Bytes, messages and control frames are counted separately, since their costs differ: a ping costs
# the library as much CPU time as ten acknowledgements cost the server. Fragments of a message count
# as control frames.
class InputBudget:
    """The rate limit of one client."""

    __slots__ = ("_bytes", "_controls", "_init_bytes", "_init_frames", "_messages", "_refilled")

    def __init__(self, now: float) -> None:
        """``now`` is a monotonic time in seconds, as in ``refill``."""
        self._init_bytes = self._init_frames = 0
        self._bytes: TokenBucket | None = None
        self._messages = self._controls = TokenBucket(0, 0)
        self._refilled = now

    def accept_init(self, now: float) -> None:
        """Switch from the total limit to the limits per second."""
        seconds = limits.SOCKET_BURST_SECONDS
        rate = limits.SOCKET_BYTES_PER_SECOND
        self._bytes = TokenBucket(rate, limits.SOCKET_BURST_BYTES / rate)
        self._messages = TokenBucket(limits.SOCKET_MESSAGES_PER_SECOND, seconds)
        self._controls = TokenBucket(limits.SOCKET_CONTROL_FRAMES_PER_SECOND, seconds)
        self._refilled = now

    def refill(self, now: float, notified: int) -> None:
        """Refill for elapsed time and for notifications sent, which are acknowledged."""
        if self._bytes is None:
            return
        seconds, self._refilled = now - self._refilled, now
        self._bytes.refill(seconds)
        self._bytes.add(notified * limits.ACKNOWLEDGEMENT_BYTES)
        self._messages.refill(seconds)
        self._messages.add(notified)
        self._controls.refill(seconds)

    def spend_bytes(self, count: int) -> bool:
        """Return whether the client may send ``count`` bytes."""
        if self._bytes is not None:
            return self._bytes.spend(count)
        self._init_bytes += count
        return self._init_bytes <= limits.INIT_BYTES_MAX

    def spend_frame(self, frame: bytes) -> bool:
        """Return whether the client may send this frame."""
        if self._bytes is not None:
            return (self._messages if is_plain(frame) else self._controls).spend(1)
        self._init_frames += 1
        return self._init_frames <= limits.INIT_FRAMES_MAX
