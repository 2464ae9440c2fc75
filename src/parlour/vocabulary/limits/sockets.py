"""The bounds of one client of the socket: what it may send, and the work that it may cause."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# Bytes of a connection before its init is accepted, the handshake included; then it is closed.
INIT_BYTES_MAX = 64 * KIBIBYTE
# WebSocket frames of a connection before its init is accepted; then it is closed.
INIT_FRAMES_MAX = 64
# An answer is written in pieces of so many bytes; what is sent of it needs no memory any more.
OUTBOX_PIECE_BYTES = 128 * KIBIBYTE
# Memory blocks of so many bytes go back to the system when they are freed.
RETURNED_BLOCK_BYTES = 128 * KIBIBYTE
# So many buffered bytes of a connection are not reserved in the pool of all ...
SOCKET_UNCOUNTED_BYTES = 4 * KIBIBYTE
# ... and while some are, their number is brought up to date this often.
SOCKET_COUNT_MS = 500
# Bytes of the requests of one connection in work; meanwhile nothing more is read from it.
SOCKET_REQUESTS_BYTES_MAX = 1 * MEBIBYTE
# Bytes of one connection that are taken in one turn of the event loop; the rest waits for the next.
SOCKET_TURN_BYTES = 64 * KIBIBYTE
# What one connection may cost in one turn, in frames; the rest waits for the next turn ...
SOCKET_TURN_FRAMES = 128
# ... where a control frame or a part of a message costs as much as so many whole messages ...
SOCKET_CONTROL_COST = 8
# ... and a request as much as so many.
SOCKET_REQUEST_COST = 32
# Bytes of all connections that are taken in one turn; the rest waits, in turns by account and user.
SOCKETS_TURN_BYTES = 256 * KIBIBYTE
# What all connections may cost in one turn, in frames as above.
SOCKETS_TURN_FRAMES = 512
# Bytes that one connection may send per second, over the burst below; then it is closed.
SOCKET_BYTES_PER_SECOND = 2 * MEBIBYTE
# What is allowed of it may be saved up to so many bytes: a few of the largest messages.
SOCKET_BURST_BYTES = 8 * MEBIBYTE
# Bytes that one user may send per second over all its connections, over the burst below; then the
# one that exceeds it is closed.
USER_BYTES_PER_SECOND = 4 * MEBIBYTE
# What is allowed of it may be saved up to so many bytes.
USER_BURST_BYTES = 16 * MEBIBYTE
# So many bytes are allowed besides for each notification, which the client acknowledges.
ACKNOWLEDGEMENT_BYTES = 256
# Messages that one connection may send per second, on top of one for each that it is sent.
SOCKET_MESSAGES_PER_SECOND = 2_000
# Control frames and parts of messages that one connection may send per second.
SOCKET_CONTROL_FRAMES_PER_SECOND = 100
# Messages and control frames that are allowed may be saved up for so many seconds.
SOCKET_BURST_SECONDS = 10
# The body of a command, in bytes: all texts of a message with every character escaped have less.
COMMAND_BODY_BYTES_MAX = 512 * KIBIBYTE
# A list of texts in the body of a command, in bytes: of media or of types of push notifications.
COMMAND_LIST_BYTES_MAX = 4 * KIBIBYTE
# A request for subscriptions, in bytes; one of SUBSCRIPTIONS_PER_REQUEST_MAX has half of that.
SUBSCRIPTIONS_BODY_BYTES_MAX = 256 * KIBIBYTE
# News held back for one connection while its state is read, in bytes; then the connection ends.
HELD_NEWS_BYTES_MAX = 1 * MEBIBYTE
# Pages of items, and steps of replays, that one process reads at once on a shared engine. On the
# embedded one they are read in the event loop: one in a turn of it.
HEAVY_READS_AT_ONCE = 4
# Missed events that are read and told in one step, before others get a turn.
REPLAYED_EVENTS_PER_STEP = 32
# ... or less, once they have so many bytes.
REPLAYED_BYTES_PER_STEP = 256 * KIBIBYTE
# A page of items or of what a command lists ends before it is larger, in bytes of JSON.
CLIENT_PAGE_BYTES_MAX = 1 * MEBIBYTE
# Minimum interval between typing indicators of a user in a conversation: somewhat less than
# TYPING_SECONDS, after which clients send it again, since their networks are not equally fast.
TYPING_AGAIN_MS = 4_500
# Typing indicators that are remembered for that long.
TYPISTS_MAX = 100_000
# Connections that are checked in one step when the rights of a whole account may have changed.
RIGHTS_CHECKED_PER_STEP = 16
# Presence changes that are recorded in one transaction.
PRESENCE_WRITES_AT_ONCE = 32
