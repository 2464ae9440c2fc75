"""WebSocket frames as bytes, where the library is slower than necessary (RFC 6455, section 5).

A notification for many clients is framed once: a server's frames are not masked, so two bytes and
a length precede the message, identical for all clients. A client's frame that is a whole binary
message (nearly all of them: a message to thousands causes thousands of acknowledgements) is
unmasked at once by the library's compiled function. All other frames are the library's.
"""

from __future__ import annotations

from typing import Final

try:
    from websockets.speedups import apply_mask
except ImportError:  # Without the compiled module; a hundred times slower.
    from websockets.utils import apply_mask

_FINAL_BINARY: Final = 0x82
_MASKED: Final = 0x80
_SHORT_MAX: Final = 125
_SIXTEEN_BITS: Final = 126
_SIXTY_FOUR_BITS: Final = 127
_MASK_BYTES: Final = 4


def encode_frame(message: bytes) -> bytes:
    """Return one binary message as one frame."""
    size = len(message)
    if size <= _SHORT_MAX:
        head = bytes((_FINAL_BINARY, size))
    elif size < 1 << 16:
        head = bytes((_FINAL_BINARY, _SIXTEEN_BITS)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FINAL_BINARY, _SIXTY_FOUR_BITS)) + size.to_bytes(8, "big")
    return head + message


def payload_bounds(stream: bytes | bytearray, begin: int) -> tuple[int, int]:
    """Return start and size of a frame's payload: beyond the end while unknown."""
    second = stream[begin + 1]
    payload_bytes, head = second & ~_MASKED, 2
    if payload_bytes >= _SIXTEEN_BITS:
        head = 4 if payload_bytes == _SIXTEEN_BITS else 10
        if len(stream) < begin + head:
            return begin + head, 0
        payload_bytes = int.from_bytes(stream[begin + 2 : begin + head], "big")
    return begin + head + (_MASK_BYTES if second & _MASKED else 0), payload_bytes


def is_plain(frame: bytes) -> bool:
    """Whether a client's frame is a whole binary message."""
    return frame[0] == _FINAL_BINARY and frame[1] & _MASKED != 0


def decode_message(frame: bytes) -> bytes | None:
    """Return the binary message in one client frame; None for any other frame."""
    if not is_plain(frame):
        return None
    begin, size = payload_bounds(frame, 0)
    if len(frame) != begin + size:  # The head of a message above the size limit.
        return None
    if not size:
        return b""
    return apply_mask(memoryview(frame)[begin:], frame[begin - _MASK_BYTES : begin])
