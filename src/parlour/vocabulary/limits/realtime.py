"""Limits of access tokens and of the WebSocket."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# An access token, in characters; those of the official helper libraries have about 500.
ACCESS_TOKEN_CHARS_MAX = 16 * KIBIBYTE
# Maximum TTL of an access token.
ACCESS_TOKEN_SECONDS_MAX = 24 * 60 * 60
# Default TTL of an access token issued by this server.
ACCESS_TOKEN_SECONDS_DEFAULT = 60 * 60
# Leeway for an issuer of access tokens whose clock is ahead of the server's.
ACCESS_TOKEN_LEEWAY_SECONDS = 60
# The last second of the year 9999: no date in an access token is later.
ACCESS_TOKEN_DATE_SECONDS_MAX = 253_402_300_799
# The endpoint id in an access token, in characters.
ENDPOINT_ID_CHARS_MAX = 256
# Header of a frame from a client, in bytes; at most it contains an access token and telemetry.
FRAME_HEADER_BYTES_MAX = 64 * KIBIBYTE
# Objects and arrays in the header of a frame from a client; the official clients send about ten.
FRAME_HEADER_OBJECTS_MAX = 1_000
# Payload of a frame from a client, in bytes; payloads of the server may be larger.
FRAME_PAYLOAD_BYTES_MAX = 1 * MEBIBYTE
# The id of a frame, in characters; the official clients' have 38.
FRAME_ID_CHARS_MAX = 128
# One WebSocket message from a client, in bytes: a frame with the largest header and payload.
SOCKET_MESSAGE_BYTES_MAX = FRAME_HEADER_BYTES_MAX + FRAME_PAYLOAD_BYTES_MAX + KIBIBYTE
# High-water mark of an outbox: above it a client counts as slow.
OUTBOX_HIGH_BYTES = 64 * KIBIBYTE
# Unsent notifications above the high-water mark with which a client is disconnected, to reconnect
# and catch up.
OUTBOX_BYTES_MAX = 1 * MEBIBYTE
# Write timeout of a WebSocket: a client that reads nothing for this long is disconnected.
STALLED_SECONDS_MAX = 30
# Timeout of the last frame and the close handshake of a WebSocket.
SOCKET_CLOSE_SECONDS_MAX = 5
# Timeout from the WebSocket handshake to the client's init frame.
INIT_SECONDS_MAX = 10
# Ping interval; the official mobile clients disconnect after 45 seconds of silence.
PING_SECONDS = 25
# Idle timeout: a connection without a received frame for this long is closed.
SILENT_SECONDS_MAX = 60
# Time before the expiry of its token at which a client is warned.
TOKEN_WARNING_SECONDS = 240
# Requests of one connection in flight; at the limit nothing is read from it.
SOCKET_REQUESTS_MAX = 32
# Notifications queued for one connection while its state is read; beyond it the connection is
# closed.
HELD_NOTIFICATIONS_MAX = 4096
# Conversations and users whose last change is cached.
RECENT_CHANGES_MAX = 100_000
# Events scanned before the first connection to learn the last changes of conversations and users.
BACK_SCAN_EVENTS_MAX = 500_000
# Events of that scan in one step.
BACK_SCAN_EVENTS_PER_STEP = 2_000
# Events scanned for what a client missed; beyond it its conversations are resynced.
REPLAY_SCANNED_EVENTS_MAX = 20_000
# Events scanned in one step before other connections get a turn.
REPLAY_SCANNED_EVENTS_PER_STEP = 500
# Objects in one subscription request.
SUBSCRIPTIONS_PER_REQUEST_MAX = 1_000
# Objects subscribed in one step before other connections get a turn.
SUBSCRIPTIONS_PER_STEP = 50
# Objects to which one connection is subscribed.
SUBSCRIPTIONS_PER_CONNECTION_MAX = 30_000
# Subscriptions that one notification confirms.
ESTABLISHED_PER_NOTIFICATION_MAX = 100
# Events that one notification replays.
REPLAYED_PER_NOTIFICATION_MAX = 100
# Delay after startup at which the libraries of the WebSocket are loaded, unless a client connects
# earlier.
WARM_UP_MS = 500
# Idle timeout of the event feed: how long after the last connection the log is still polled.
FEED_IDLE_MS = 60_000
# Default number of items on a page of a realtime object.
ITEMS_PER_PAGE = 50
# Maximum number of items on a page of a realtime object.
ITEMS_PER_PAGE_MAX = 100
# Digits of a number in a request for items.
INDEX_DIGITS_MAX = 18
# Default and maximum page size of a list that a client command returns.
CLIENT_PAGE_SIZE_MAX = 100
# Interval at which a client SDK repeats its typing indicator.
TYPING_SECONDS = 5
# Minimum reconnect delay of a client that a stopping server disconnected.
RECONNECT_AFTER_STOP_MS_MIN = 1_000
# Maximum reconnect delay of such a client.
RECONNECT_AFTER_STOP_MS_MAX = 10_000
# Minimum reconnect delay of a client that was disconnected because of load.
RECONNECT_AFTER_LOAD_MS_MIN = 5_000
# Maximum reconnect delay of such a client.
RECONNECT_AFTER_LOAD_MS_MAX = 30_000
# TTL of a node's presence record; after it the node and its users count as offline.
NODE_MS = 40_000
# Typing indicators queued for other nodes; beyond it the oldest is dropped.
TYPING_QUEUE_MAX = 1_000
# How long a reply waits for the publication of the events that it follows.
REPLY_FEED_MS_MAX = 1_000
# How long it then waits for the client to acknowledge the events that it was sent.
HANDLED_RECEIVED_MS_MAX = 1_000
# Time in which an idle client SDK handles a notification that it has received.
HANDLED_TURN_MS = 2
# How long a probe ping may stay unacknowledged before the earlier acknowledgements are trusted.
HANDLED_PROBE_MS_MAX = 50
# Replies of one connection that wait for the client; further ones wait for their events only.
HELD_REPLIES_MAX = 64
# Total size of those replies, in bytes.
HELD_REPLIES_BYTES_MAX = 1 * MEBIBYTE
