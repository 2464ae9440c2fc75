"""The event feed: /parlour/v1/Events, as pages and as a stream."""

from __future__ import annotations

# Numbers of the log that one page reads: the log has no index by account, so that a page without
# events of the account may end before the end of the log.
EVENT_NUMBERS_READ_MAX = 5_000
# Default PageSize of the feed.
PAGE_SIZE_EVENTS_DEFAULT = 100
# Maximum PageSize of the feed.
PAGE_SIZE_EVENTS_MAX = 500
# A cursor, in characters.
EVENT_CURSOR_CHARS_MAX = 64
# A filter by source or identity, in characters.
EVENT_FILTER_CHARS_MAX = 256
# Streams of events of one account; beyond it 429.
EVENT_STREAMS_PER_ACCOUNT_MAX = 20
# Streams of events over all accounts; beyond it 503.
EVENT_STREAMS_MAX = 200
# Events that a stream reads at a time; they are in memory until the client has them.
EVENTS_PER_STREAM_READ = 25
# A stream without events sends a comment at this interval, with the cursor to resume from.
EVENT_STREAM_COMMENT_SECONDS = 15
# A stream is closed after this time; the client opens another one.
EVENT_STREAM_SECONDS_MAX = 3_600
