"""Messages as a server's WebSocket frames: the same bytes for everybody they go to.

A server's frames are not masked (RFC 6455, 5.2): two bytes and a length stand before the message.
"""

from __future__ import annotations

from typing import Final

_FINAL_BINARY: Final = 0x82
_SHORT_MAX: Final = 125
_SIXTEEN_BITS: Final = 126
_SIXTY_FOUR_BITS: Final = 127


def encoded(message: bytes) -> bytes:
    """One binary message, whole, in one frame."""
    size = len(message)
    if size <= _SHORT_MAX:
        head = bytes((_FINAL_BINARY, size))
    elif size < 1 << 16:
        head = bytes((_FINAL_BINARY, _SIXTEEN_BITS)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FINAL_BINARY, _SIXTY_FOUR_BITS)) + size.to_bytes(8, "big")
    return head + message
