"""Decoding of chunked bodies (RFC 9112, section 7.1): strict, and bounded in bytes.

States and their input. Every byte that is no data counts against a bound.

=========  =======================================  ======================================
state      takes                                    next state
=========  =======================================  ======================================
SIZE       a line: hex digits, then extensions      DATA; TRAILERS after a size of 0
DATA       bytes of the chunk                       DATA_END with the last one
DATA_END   CRLF                                     SIZE
TRAILERS   header lines, which are dropped          DONE with an empty line
DONE       nothing: what follows is the next
           request, and stays in ``trailing_data``
=========  =======================================  ======================================

Refused: bare CR or LF, sizes with signs, spaces, ``0x`` or too many digits, folded or malformed
trailers, and more framing than is in proportion to the data (one-byte chunks).
"""

from __future__ import annotations

import re
from typing import Final

from parlour.vocabulary import limits

_SIZE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILERS: Final = 3
_DONE: Final = 4

_SIZE_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,%d})(?:;[\t\x20-\x7e\x80-\xff]*)?\Z" % limits.CHUNK_SIZE_DIGITS_MAX
)
_TRAILER_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t\x20-\x7e\x80-\xff]*\Z")
# A proxy that merges trailers into the head must not get another framing (RFC 9110, section 6.5.1).
_NO_TRAILERS: Final = frozenset({b"content-length", b"host", b"transfer-encoding"})


class ChunkError(Exception):
    """The framing of a body is invalid; the text is the reason. No byte after it can be read."""


class ChunkedBody:
    """Decodes the chunks of one body."""

    __slots__ = (
        "_frame_bytes",
        "_left",
        "_line",
        "_size",
        "_state",
        "_trailer_bytes",
        "trailing_data",
    )

    def __init__(self) -> None:
        self._state = _SIZE
        self._line = b""
        self._left = 0
        self._size = 0
        self._frame_bytes = 0
        self._trailer_bytes = 0
        self.trailing_data = b""
        """The bytes after the end of the body."""

    @property
    def is_complete(self) -> bool:
        """Whether the last chunk and the trailers were read."""
        return self._state == _DONE

    @property
    def buffered_bytes(self) -> int:
        """The number of buffered bytes of an incomplete line."""
        return len(self._line)

    def decode(self, data: bytes) -> bytes:
        """Return the part of the body that is in these bytes. Raises ChunkError."""
        assert self._state != _DONE
        parts: list[bytes] = []
        at = 0
        while at < len(data) and self._state != _DONE:
            if self._state == _DATA:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                self._size += len(part)
                if not self._left:
                    self._state = _DATA_END
            else:
                at = self._take_line(data, at)
        self.trailing_data = data[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _take_line(self, data: bytes, at: int) -> int:
        """Take one line, or what there is of it; return where the next one begins."""
        end = data.find(b"\n", at) + 1
        taken = data[at : end or len(data)]
        line = self._line + taken
        self._count(len(taken), len(line))
        if not end:
            self._line = line
            return len(data)
        self._line = b""
        if not line.endswith(b"\r\n"):
            raise ChunkError("a line without CR")
        self._end_line(line[:-2])
        return end

    def _count(self, taken: int, line: int) -> None:
        if self._state == _TRAILERS:
            self._trailer_bytes += taken
            if self._trailer_bytes > limits.TRAILER_BYTES_MAX:
                raise ChunkError("trailers too long")
            return
        self._frame_bytes += taken
        allowed = limits.CHUNK_FRAME_BYTES_MAX + self._size // limits.CHUNK_BYTES_PER_FRAME_BYTE_MIN
        if self._frame_bytes > allowed:
            raise ChunkError("chunks too small")
        if self._state == _DATA_END and line > len(b"\r\n"):
            raise ChunkError("data longer than its chunk")
        if line > limits.CHUNK_LINE_BYTES_MAX:
            raise ChunkError("chunk line too long")

    def _end_line(self, line: bytes) -> None:
        if self._state == _SIZE:
            match = _SIZE_LINE.match(line)
            if match is None:
                raise ChunkError("invalid chunk size")
            self._left = int(match[1], 16)
            self._state = _DATA if self._left else _TRAILERS
        elif self._state == _DATA_END:
            self._state = _SIZE
        elif not line:
            self._state = _DONE
        else:
            match = _TRAILER_LINE.match(line)
            if match is None or match[1].lower() in _NO_TRAILERS:
                raise ChunkError("invalid trailer")
