"""WebSocket frames as bytes, where the library is more than is needed (RFC 6455, section 5).

What is sent to many is framed once: a server's frames are not masked, so two bytes and a length
stand before a message, and they are the same for everybody. A frame of a client that is a whole
binary message - nearly every one, and thousands of acknowledgements
follow each message that is told to thousands - is unmasked at once, by the library's compiled
function; all other frames are the library's.
"""

from __future__ import annotations

from typing import Final

try:
    from websockets.speedups import apply_mask
except ImportError:  # Where it could not be compiled; a hundred times slower.
    from websockets.utils import apply_mask

_FINAL_BINARY: Final = 0x82
_MASKED: Final = 0x80
_SHORT_MAX: Final = 125
_SIXTEEN_BITS: Final = 126
_SIXTY_FOUR_BITS: Final = 127
_MASK_BYTES: Final = 4


def encode_frame(message: bytes) -> bytes:
    """One binary message, whole, in one frame."""
    size = len(message)
    if size <= _SHORT_MAX:
        head = bytes((_FINAL_BINARY, size))
    elif size < 1 << 16:
        head = bytes((_FINAL_BINARY, _SIXTEEN_BITS)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FINAL_BINARY, _SIXTY_FOUR_BITS)) + size.to_bytes(8, "big")
    return head + message


def payload_bounds(stream: bytes | bytearray, begin: int) -> tuple[int, int]:
    """Where the payload of a frame begins, and its length: beyond the end while unknown."""
    second = stream[begin + 1]
    payload_bytes, head = second & ~_MASKED, 2
    if payload_bytes >= _SIXTEEN_BITS:
        head = 4 if payload_bytes == _SIXTEEN_BITS else 10
        if len(stream) < begin + head:
            return begin + head, 0
        payload_bytes = int.from_bytes(stream[begin + 2 : begin + head], "big")
    return begin + head + (_MASK_BYTES if second & _MASKED else 0), payload_bytes


def is_plain(frame: bytes) -> bool:
    """Whether a frame of a client is a whole binary message."""
    return frame[0] == _FINAL_BINARY and frame[1] & _MASKED != 0


def decode_message(frame: bytes) -> bytes | None:
    """The binary message that one frame of a client is, whole; None for any other frame."""
    if not is_plain(frame):
        return None
    begin, size = payload_bounds(frame, 0)
    if len(frame) != begin + size:  # Too long: see above.
        return None
    if not size:
        return b""
    return apply_mask(memoryview(frame)[begin:], frame[begin - _MASK_BYTES : begin])
