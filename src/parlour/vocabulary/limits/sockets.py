"""Limits of one WebSocket client: what it may send, and the work that it may cause."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# Bytes of a connection before its init is accepted, the handshake included; beyond it the
# connection is closed.
INIT_BYTES_MAX = 64 * KIBIBYTE
# WebSocket frames of a connection before its init is accepted; beyond it the connection is closed.
INIT_FRAMES_MAX = 64
# Chunk in which a response is written; a chunk that was sent needs no memory any more.
OUTBOX_PIECE_BYTES = 128 * KIBIBYTE
# Size from which freed memory blocks are returned to the system.
RETURNED_BLOCK_BYTES = 128 * KIBIBYTE
# Buffered bytes of one WebSocket that are not reserved in the buffer pool.
SOCKET_UNCOUNTED_BYTES = 4 * KIBIBYTE
# Interval at which the reservation of a WebSocket is updated while it has buffered bytes.
SOCKET_COUNT_MS = 500
# Total size of one connection's requests in flight; at the limit nothing is read from it.
SOCKET_REQUESTS_BYTES_MAX = 1 * MEBIBYTE
# Bytes of one connection processed in one iteration of the event loop.
SOCKET_TURN_BYTES = 64 * KIBIBYTE
# Cost of one connection in one iteration of the event loop, in frames.
SOCKET_TURN_FRAMES = 128
# Cost of a control frame or a fragment of a message, in frames.
SOCKET_CONTROL_COST = 8
# Cost of a request, in frames.
SOCKET_REQUEST_COST = 32
# Bytes of all connections processed in one iteration of the event loop; the others wait,
# round-robin by account and user.
SOCKETS_TURN_BYTES = 256 * KIBIBYTE
# Cost of all connections in one iteration of the event loop, in frames.
SOCKETS_TURN_FRAMES = 512
# Rate limit of one connection in bytes; beyond the burst it is closed.
SOCKET_BYTES_PER_SECOND = 2 * MEBIBYTE
# Burst of one connection in bytes: a few of the largest messages.
SOCKET_BURST_BYTES = 8 * MEBIBYTE
# Rate limit of one user over all connections in bytes; the connection that exceeds the burst is
# closed.
USER_BYTES_PER_SECOND = 4 * MEBIBYTE
# Burst of one user over all connections, in bytes.
USER_BURST_BYTES = 16 * MEBIBYTE
# Bytes allowed in addition for each notification, which the client acknowledges.
ACKNOWLEDGEMENT_BYTES = 256
# Messages that one connection may send per second, in addition to one for each that it receives.
SOCKET_MESSAGES_PER_SECOND = 2_000
# Control frames and fragments that one connection may send per second.
SOCKET_CONTROL_FRAMES_PER_SECOND = 100
# Burst of messages and control frames, in seconds of their rate.
SOCKET_BURST_SECONDS = 10
# Body of a command, in bytes: more than all texts of a message with every character escaped.
COMMAND_BODY_BYTES_MAX = 512 * KIBIBYTE
# List of texts in the body of a command, in bytes: media, or types of push notifications.
COMMAND_LIST_BYTES_MAX = 4 * KIBIBYTE
# Subscription request, in bytes; one of SUBSCRIPTIONS_PER_REQUEST_MAX objects has half of it.
SUBSCRIPTIONS_BODY_BYTES_MAX = 256 * KIBIBYTE
# Total size of those notifications, in bytes; beyond it the connection is closed.
HELD_NOTIFICATIONS_BYTES_MAX = 1 * MEBIBYTE
# Concurrent reads of item pages and replay steps by one process on a shared engine. On the embedded
# one they run in the event loop, one per iteration.
HEAVY_READS_AT_ONCE = 4
# Missed events read and sent in one step before other connections get a turn.
REPLAYED_EVENTS_PER_STEP = 32
# Bytes of missed events after which such a step ends early.
REPLAYED_BYTES_PER_STEP = 256 * KIBIBYTE
# JSON of a page of items or of a command's list, in bytes; a page ends before it is larger.
CLIENT_PAGE_BYTES_MAX = 1 * MEBIBYTE
# Minimum interval between typing indicators of a user in a conversation: somewhat less than
# TYPING_SECONDS, after which clients send it again, since their networks are not equally fast.
TYPING_AGAIN_MS = 4_500
# Typing indicators in memory, each for TYPING_AGAIN_MS.
TYPISTS_MAX = 100_000
# Connections checked in one step after the permissions of a whole account may have changed.
RIGHTS_CHECKED_PER_STEP = 16
# Presence changes that are recorded in one transaction.
PRESENCE_WRITES_AT_ONCE = 32
