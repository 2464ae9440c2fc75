"""Bounds of the HTTP edge: what one connection, and all of them together, may make us keep."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# --- Reading requests ---------------------------------------------------------------------

# What one connection may hand over in one turn of the event loop; the rest waits for the next
# turn, behind everybody else. It is also the most that is read ahead of the request in work.
READ_BYTES_MAX = 64 * KIBIBYTE
# The pause after READ_BYTES_MAX of what is only dropped: the rest of a refused body.
UNWANTED_PAUSE_MS = 10
# Requests that begin in one turn; the others wait, round-robin by account and user.
STARTED_PER_TURN_MAX = 64
# A request counts once more for each so many bytes of its body.
BODY_BYTES_PER_START = 16 * KIBIBYTE
# When a turn takes longer, fewer requests begin in the next.
TURN_MS_MAX = 5
# After a turn that took longer, requests wait for so many turns of the event loop, in which what is
# in work already goes on.
TURNS_AFTER_LONG = 4
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
# Header blocks that are cached, read, so that a client that repeats its headers costs less ...
HEADER_BLOCKS_CACHED_MAX = 256
# ... none of them longer than this.
HEADER_BLOCK_BYTES_CACHED_MAX = 2 * KIBIBYTE
# The boundary of a multipart body, in characters (RFC 2046).
BOUNDARY_CHARS_MAX = 70

# --- What is kept in memory ---------------------------------------------------------------

# What one connection keeps without a reservation in the buffers of the process.
UNCOUNTED_BYTES_MAX = 4 * KIBIBYTE
# What a header is taken to need in memory beyond its bytes.
HEADER_OBJECT_BYTES = 160
# An answer to a read above this finds room in the buffers before it is sent, or becomes a 503.
UNRESERVED_ANSWER_BYTES_MAX = 64 * KIBIBYTE
# Answers together that wait for that room; the next one is a 503 at once.
WAITING_ANSWER_BYTES_MAX = 16 * MEBIBYTE
# What the kernel takes of an answer beyond what it has sent already. Without a bound it takes up to
# 4 MiB for a client that does not read, in one step that all others wait for.
KERNEL_UNSENT_BYTES_MAX = 128 * KIBIBYTE
# TLS is given an answer in pieces of so many bytes: it copies them, and keeps the room for them
# until the connection ends.
TLS_PIECE_BYTES = 32 * KIBIBYTE
# What TLS keeps of an answer besides while the client takes nothing: copies, encrypted. Counted.
TLS_UNSENT_BYTES = 144 * KIBIBYTE

# When so much was buffered, and half of it no more, freed memory is given back to the system.
TRIM_BYTES_MIN = 1 * MEBIBYTE
# ... which it has to be at so many checks of the deadlines in a row.
TRIM_CALM_CHECKS = 4

# --- Connections --------------------------------------------------------------------------

# How often deadlines of connections are checked; so much later than it is due one may act.
DEADLINE_CHECK_MS = 250
# When all is sent over a closed TLS connection, so long is waited for the client's close_notify.
CLOSE_NOTIFY_SECONDS_MAX = 1
# Connections of the process without an authenticated request, from the accept on (TLS handshakes
# included), and WebSockets before init; when they are more, the oldest that has no request in work
# is closed.
UNAUTHENTICATED_CONNECTIONS_MAX = 4000
# ... with TLS, which keeps up to 31 KB for each.
UNAUTHENTICATED_TLS_CONNECTIONS_MAX = 2000
# TLS handshakes of the process that have begun, with 60 KB each; when they are more, the oldest is
# closed.
HANDSHAKES_MAX = 500
# Of the files that the process may open, one part in so many is for other things than connections.
RESERVED_FILES_PART = 4
# Of all connections of the process, one part in so many is not for WebSockets of users, so that
# HTTP requests find a place, however many users are connected.
RESERVED_HTTP_CONNECTIONS_PART = 8
# When there are too many connections, so many of the longest idle are closed at once.
IDLE_CLOSED_MAX = 64

# Percent-escapes in one form, which are the work of decoding it: all texts of a message with every
# byte escaped have fewer. Beyond it 413.
FORM_ESCAPES_MAX = 96 * KIBIBYTE
# The same for a conversation with ten participants.
FORM_ESCAPES_WITH_PARTICIPANTS_MAX = 352 * KIBIBYTE
