"""Limits of the HTTP edge: parsing, buffering and connections."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# --- Reading requests ---------------------------------------------------------------------

# Bytes read from one connection in one iteration of the event loop, in turn with the others. Also
# the maximum read-ahead beyond the request in flight.
READ_BYTES_MAX = 64 * KIBIBYTE
# Delay after READ_BYTES_MAX of the remaining body of a rejected request, which is discarded.
UNWANTED_PAUSE_MS = 10
# Requests started in one iteration of the event loop; the others wait, round-robin by account and
# user.
STARTED_PER_TURN_MAX = 64
# Bytes of a request body that count as one more request started.
BODY_BYTES_PER_START = 16 * KIBIBYTE
# Duration of an iteration above which fewer requests start in the next one.
TURN_MS_MAX = 5
# Iterations of the event loop without request starts after one that took longer, in which requests
# in flight proceed.
TURNS_AFTER_LONG = 4
# The method, the version and the spaces of a request line.
REQUEST_LINE_FRAME_BYTES_MAX = 64
# Blank lines before a request line.
BLANK_LINE_BYTES_MAX = 64
# A chunk's size with its extensions, as one line.
CHUNK_LINE_BYTES_MAX = 256
# Digits of a chunk's size.
CHUNK_SIZE_DIGITS_MAX = 16
# Framing bytes of a chunked body, fixed part: sizes, extensions and line ends.
CHUNK_FRAME_BYTES_MAX = 16 * KIBIBYTE
# Body bytes that allow one more framing byte; smaller chunks get 400.
CHUNK_BYTES_PER_FRAME_BYTE_MIN = 4
# All trailers of a chunked body together.
TRAILER_BYTES_MAX = 8 * KIBIBYTE
# Cached parses of header blocks, for clients that repeat their headers.
HEADER_BLOCKS_CACHED_MAX = 256
# Longest header block in that cache.
HEADER_BLOCK_BYTES_CACHED_MAX = 2 * KIBIBYTE
# The boundary of a multipart body, in characters (RFC 2046).
BOUNDARY_CHARS_MAX = 70

# --- Buffers ---------------------------------------------------------------

# Bytes of one connection that are not reserved in the buffer pool.
UNCOUNTED_BYTES_MAX = 4 * KIBIBYTE
# Estimated memory of a header in addition to its bytes.
HEADER_OBJECT_BYTES = 160
# Response to a read that is sent without a reservation; a larger one waits for space in the buffer
# pool, or becomes a 503.
UNRESERVED_ANSWER_BYTES_MAX = 64 * KIBIBYTE
# Total size of the responses that wait for that space; beyond it 503 at once.
WAITING_ANSWER_BYTES_MAX = 16 * MEBIBYTE
# Unsent response bytes in the kernel's send buffer. Without a bound the kernel accepts up to 4 MiB
# for a client that does not read, in one step that blocks all others.
KERNEL_UNSENT_BYTES_MAX = 128 * KIBIBYTE
# Chunk in which a response is passed to TLS, which copies it and retains the memory until the
# connection ends.
TLS_PIECE_BYTES = 32 * KIBIBYTE
# Encrypted bytes that TLS buffers in addition while the client does not read. Counted in the pool.
TLS_UNSENT_BYTES = 144 * KIBIBYTE

# Peak of buffered bytes from which freed memory is returned to the system once usage has halved.
TRIM_BYTES_MIN = 1 * MEBIBYTE
# Consecutive checks of the deadlines that have to find usage halved.
TRIM_CALM_CHECKS = 4

# --- Connections --------------------------------------------------------------------------

# Interval between two checks of connection deadlines, and so their delay.
DEADLINE_CHECK_MS = 250
# How long a closed TLS connection waits for the client's close_notify after everything was sent.
CLOSE_NOTIFY_SECONDS_MAX = 1
# Connections of a process without an authenticated request, TLS handshakes and WebSockets before
# init included; beyond it the oldest without a request in flight is closed.
UNAUTHENTICATED_CONNECTIONS_MAX = 4000
# The same with TLS, which needs up to 31 KB each.
UNAUTHENTICATED_TLS_CONNECTIONS_MAX = 2000
# TLS handshakes of a process in progress, 60 KB each; beyond it the oldest is closed.
HANDSHAKES_MAX = 500
# Divisor: the part of the file descriptor limit that is reserved for other purposes than
# connections.
RESERVED_FILES_PART = 4
# Divisor: the part of all connections that is reserved for HTTP, however many WebSockets are
# connected.
RESERVED_HTTP_CONNECTIONS_PART = 8
# Longest idle connections closed at once when there are too many.
IDLE_CLOSED_MAX = 64

# Percent-escapes in one form, which determine the work of decoding it: more than all texts of a
# message with every byte escaped. Beyond it 413.
FORM_ESCAPES_MAX = 96 * KIBIBYTE
# The same for a conversation with ten participants.
FORM_ESCAPES_WITH_PARTICIPANTS_MAX = 352 * KIBIBYTE
