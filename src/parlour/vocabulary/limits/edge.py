"""Bounds of the HTTP edge: what one connection, and all of them together, may make us keep."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE

# --- Reading requests ---------------------------------------------------------------------

# What one connection may hand over in one turn of the event loop; the rest waits for the next
# turn, behind everybody else. It is also the most that is read ahead of the request in work.
READ_BYTES_MAX = 64 * KIBIBYTE
# The method, the version and the spaces of a request line.
REQUEST_LINE_FRAME_BYTES_MAX = 64
# Blank lines before a request line.
BLANK_LINE_BYTES_MAX = 64
# A chunk's size with its extensions, as one line.
CHUNK_LINE_BYTES_MAX = 256
# Digits of a chunk's size.
CHUNK_SIZE_DIGITS_MAX = 16
# Sizes, extensions and line ends of the chunks of a body: so many bytes, ...
CHUNK_FRAME_BYTES_MAX = 16 * KIBIBYTE
# ... and one more for so many bytes of the body. A body in tinier chunks is refused with 400.
CHUNK_BYTES_PER_FRAME_BYTE_MIN = 4
# All trailers of a chunked body together.
TRAILER_BYTES_MAX = 8 * KIBIBYTE
# The boundary of a multipart body, in characters (RFC 2046).
BOUNDARY_CHARS_MAX = 70

# --- Connections --------------------------------------------------------------------------

# How often deadlines of connections are checked; so much later than it is due one may act.
DEADLINE_CHECK_MS = 250
