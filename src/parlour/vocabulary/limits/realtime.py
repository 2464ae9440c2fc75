"""The bounds of access tokens and of the socket."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# An access token as text; those of the official helper libraries have about 500 characters.
ACCESS_TOKEN_CHARS_MAX = 16 * KIBIBYTE
# The longest time an access token may be good for.
ACCESS_TOKEN_SECONDS_MAX = 24 * 60 * 60
# How long an access token made here is good for, when nothing is said.
ACCESS_TOKEN_SECONDS_DEFAULT = 60 * 60
# Leeway for the clock of an issuer of access tokens that is ahead of ours.
ACCESS_TOKEN_LEEWAY_SECONDS = 60
# The last second of the year 9999: no date in an access token is later.
ACCESS_TOKEN_DATE_SECONDS_MAX = 253_402_300_799
# The endpoint id in an access token, in characters.
ENDPOINT_ID_CHARS_MAX = 256
# The header of a frame from a client, in bytes; it holds an access token and telemetry at most.
FRAME_HEADER_BYTES_MAX = 64 * KIBIBYTE
# Objects and arrays in the header of a frame from a client; the official clients send about ten.
FRAME_HEADER_OBJECTS_MAX = 1_000
# The payload of a frame from a client, in bytes. What we send may be larger.
FRAME_PAYLOAD_BYTES_MAX = 1 * MEBIBYTE
# The id of a frame, in characters; the official clients' have 38.
FRAME_ID_CHARS_MAX = 128
# One WebSocket message from a client, in bytes: a frame with the largest header and payload.
SOCKET_MESSAGE_BYTES_MAX = FRAME_HEADER_BYTES_MAX + FRAME_PAYLOAD_BYTES_MAX + KIBIBYTE
# Above so many unsent bytes a client counts as slow ...
OUTBOX_HIGH_BYTES = 64 * KIBIBYTE
# ... and with so much news unsent on top it is sent away, to come back and catch up.
OUTBOX_BYTES_MAX = 1 * MEBIBYTE
# A client that takes nothing for so long is sent away as well.
STALLED_SECONDS_MAX = 30
# A client gets this long to take the last frame and the good-bye of WebSockets.
SOCKET_CLOSE_SECONDS_MAX = 5
# A client begins with init within this time.
INIT_SECONDS_MAX = 10
# A ping goes out this often; the official mobile clients give up after 45 seconds of silence.
PING_SECONDS = 25
# A connection from which nothing was heard for so long is closed.
SILENT_SECONDS_MAX = 60
# A client is warned this long before its token expires.
TOKEN_WARNING_SECONDS = 240
# Requests of one connection in work at the same time; meanwhile nothing more is read from it.
SOCKET_REQUESTS_MAX = 32
# News held back for one connection while its state is read; beyond it the connection ends.
HELD_NEWS_MAX = 4096
# Conversations and users whose last change is remembered.
RECENT_CHANGES_MAX = 100_000
# Events that are looked at to learn what changed before the first connection ...
LOOKED_BACK_EVENTS_MAX = 500_000
# ... and in one step.
LOOKED_BACK_EVENTS_PER_STEP = 2_000
# Events that are looked through for what a client missed; beyond it conversations are resynced.
REPLAY_SCANNED_EVENTS_MAX = 20_000
# Events that are looked through in one step, before others get a turn.
REPLAY_SCANNED_EVENTS_PER_STEP = 500
# Objects in one request for subscriptions.
SUBSCRIPTIONS_PER_REQUEST_MAX = 1_000
# Objects that are subscribed to in one step, before others get a turn.
SUBSCRIPTIONS_PER_STEP = 50
# Objects that one connection listens to.
SUBSCRIPTIONS_PER_CONNECTION_MAX = 30_000
# Subscriptions that one notification confirms.
ESTABLISHED_PER_NOTIFICATION_MAX = 100
# Events that one notification replays.
REPLAYED_PER_NOTIFICATION_MAX = 100
# The libraries of the socket are loaded so long after the start, unless a client is quicker.
WARM_UP_MS = 500
# The log is read for connections until there was none for so long.
NEWS_LONELY_MS = 60_000
# Items of a realtime object on a page when nothing is said, and at most.
ITEMS_PER_PAGE = 50
# Items of a realtime object on a page at most.
ITEMS_PER_PAGE_MAX = 100
# Digits of a number in a request for items.
INDEX_DIGITS_MAX = 18
# Rows on a page of what a command lists, at most and when nothing is said.
CLIENT_PAGE_SIZE_MAX = 100
# Interval at which a client SDK repeats its typing indicator.
TYPING_SECONDS = 5
# A client that was sent away by a stopping server comes back no sooner than this ...
RECONNECT_AFTER_STOP_MS_MIN = 1_000
# ... and no later.
RECONNECT_AFTER_STOP_MS_MAX = 10_000
# A client that was sent away because there was too much comes back no sooner than this ...
RECONNECT_AFTER_LOAD_MS_MIN = 5_000
# ... and no later.
RECONNECT_AFTER_LOAD_MS_MAX = 30_000
# A node that did not say for so long that it is there is gone, and its users with it ...
NODE_MS = 40_000
# ... but on an engine of one process no other node can be there, so it never expires.
ONLY_NODE_MS = 100 * 366 * 24 * 60 * 60 * 1000
# News of typing that waits to be told to other nodes; the oldest is forgotten.
TYPING_QUEUE_MAX = 1_000
# A reply waits for the events that it follows to be published for so long at most ...
REPLY_FEED_MS_MAX = 1_000
# ... and then for the client to acknowledge what it was sent of them.
HANDLED_RECEIVED_MS_MAX = 1_000
# A client SDK handles a notification this long after it has taken it, if it is not busy.
HANDLED_TURN_MS = 2
# A client that acknowledges no ping within this time has handled what it acknowledged before.
HANDLED_PROBE_MS_MAX = 50
# Replies of one connection that wait for the client; further ones follow their events alone.
HELD_REPLIES_MAX = 64
# Replies of one connection that wait for the client, in bytes; the same of further ones.
HELD_REPLIES_BYTES_MAX = 1 * MEBIBYTE
