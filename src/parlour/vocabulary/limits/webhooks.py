"""The bounds of webhooks and of every other request to the outside."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE

# A TCP port.
PORT_MAX = 65_535
# A host name in its ASCII form, without the dot at the end.
HOST_NAME_CHARS_MAX = 253
# Configured URLs that are kept taken apart.
PREPARED_URLS_MAX = 4096
# Bytes of an answer that are read, unless more is asked for; the rest is never fetched.
RESPONSE_BYTES_READ_MAX = 20_000
# The same for a pre-action webhook, whose answer may change the action.
PRE_ACTION_RESPONSE_BYTES_READ_MAX = 64 * KIBIBYTE
# Status line and headers of an answer together.
RESPONSE_HEAD_BYTES_MAX = 32 * KIBIBYTE
# A challenge of a receiver that wants Digest authentication; a longer one is not answered.
CHALLENGE_CHARS_MAX = 4 * KIBIBYTE
# Interim answers (1xx) before the real one.
INTERIM_RESPONSES_MAX = 8
# Outbound requests at the same time; the next one waits its turn. Accounts share them, and one
# alone has half of them: the rest is free for newcomers.
OUTBOUND_REQUESTS_MAX = 576
# The same for requests that a caller waits for: pre-action webhooks. They have places of their own.
OUTBOUND_AWAITED_REQUESTS_MAX = 256
# The same for one scheme, host and port and one account, so that a hanging one cannot take all
# turns: as many as webhooks and probes of one host together.
OUTBOUND_REQUESTS_PER_TARGET_MAX = 18
# A request waits this long for its turn; the time it has for itself begins afterwards.
OUTBOUND_SLOT_WAIT_MS_MAX = 2_000
# Outbound connections kept open without a request.
IDLE_CONNECTIONS_MAX = 128
# A connection without a request is closed after this time.
IDLE_CONNECTION_MS_MAX = 15_000
# A connection is used no longer than this, so that a changed address is noticed.
CONNECTION_AGE_MS_MAX = 60_000
# Addresses of one host that are tried, in the resolver's order.
ADDRESSES_TRIED_MAX = 4
# Time for connecting to one address while there are others to try.
CONNECT_MS_MAX = 1_000
# Host names being resolved at the same time, each in a thread of its own.
RESOLUTIONS_MAX = 64
# The longest wait that a Retry-After header can ask for: as long as the longest step.
RETRY_AFTER_MS_MAX = 3 * 60 * 60 * 1000
# A delay may become longer by this share of itself, so that not all come back at once.
RETRY_JITTER_PERCENT = 10
# Deliveries that one event can become, those of a ReplayAfter included.
DELIVERIES_PER_EVENT_MAX = 2**19
# Events that are turned into deliveries in one transaction.
EVENTS_PER_ENQUEUING_MAX = 32
# Deliveries of one account that may wait; beyond it the oldest are given up, and that is logged.
# With one and a half kilobytes each this is 1.5 GB of disk.
DELIVERIES_PENDING_PER_ACCOUNT_MAX = 1_000_000
# Of these, how many are given up in one transaction, at least.
DELIVERIES_DROPPED_PER_STEP_MAX = 100
# Webhooks being sent at the same time, over all accounts; one account alone has half of them.
WEBHOOKS_AT_ONCE_MAX = 512
# The same for one host (scheme, name and port) of one account, over all its URLs.
WEBHOOKS_AT_ONCE_PER_HOST_MAX = 16
# What is left of that for a host whose URLs let requests time out, one after the other.
WEBHOOKS_AT_ONCE_PER_HOST_MIN = 2
# Requests at once to URLs of one account that let the last one time out; each has one.
PROBES_PER_ACCOUNT_MAX = 64
# The same for one host of the account.
PROBES_PER_HOST_MAX = 2
# The same for one URL of one account, fewer than for its host; one that lets us wait gets one.
WEBHOOKS_AT_ONCE_PER_ENDPOINT_MAX = 12
# What a URL may have at once before it has shown that it answers.
WEBHOOKS_AT_ONCE_FIRST = 4
# Lanes (one URL and one conversation) of one URL in memory, for each request it may have at once.
LANES_PER_REQUEST_MAX = 4
# Lanes in memory, over all accounts; the others wait on disk. One account alone has half of them.
LANES_MAX = 4096
# Lanes in memory of those URLs of one account that let the last request time out.
LANES_HANGING_PER_ACCOUNT_MAX = 512
# Deliveries of one lane that are read ahead.
LANE_DELIVERIES_MAX = 8
# Attempts whose results are not on disk yet: what may be sent twice after a crash. Beyond it only
# accounts send that have none among them. So many are written in one transaction.
ATTEMPTS_UNRECORDED_MAX = 64
# Webhooks that are begun in one turn of the event loop.
WEBHOOKS_STARTED_PER_LOOP_TURN = 8
# The longest time without a look for deliveries that are due.
WEBHOOK_POLL_MS_MAX = 300_000
# How often the age of the oldest delivery is measured.
WEBHOOK_FIGURES_MS = 5_000
# URLs that are found in one transaction at the start.
ENDPOINTS_PER_STEP_MAX = 100
# Endpoints (URLs of accounts) in memory, about 1 KiB each; others wait on disk. Those in use, of
# which there are fewer, are not dropped.
ENDPOINTS_KNOWN_MAX = 10_000
# Of these, how many are dropped at once.
ENDPOINTS_DROPPED_PER_STEP_MAX = 1000
# The pause between two steps of a search for endpoints that were dropped.
ENDPOINTS_STEP_PAUSE_MS = 10
# How long such a search waits when all known endpoints are in use or due.
ENDPOINTS_FULL_MS = 1000
# Outdated entries in the schedule of looks at the disk.
POLLS_OUTDATED_MAX = 1000
# The share of the processor that deliveries get while requests are running, in percent. With what
# the loop spends on them besides, requests keep more than 0.7 of their rate.
DELIVERY_SHARE_PERCENT = 10
# Accounts whose use of that share is measured one by one; the others have one part together.
DELIVERY_ACCOUNTS_MEASURED_MAX = 256
# What deliveries may use at once, after a while without any, before their share counts.
DELIVERY_BURST_MS = 10
# How long what signs an account's webhooks is remembered.
SIGNING_CACHED_MS_MAX = 1000
# For how many accounts what signs their webhooks is remembered.
SIGNING_CACHED_MAX = 1000
# The longest time to connect that a connection override may ask for.
OVERRIDE_CONNECT_MS_MAX = 10_000
# The longest time in all that a connection override may ask for.
OVERRIDE_TOTAL_MS_MAX = 15_000
# The most retries that a connection override may ask for.
OVERRIDE_RETRIES_MAX = 5
# Attempts that a delivery past its time still gets: it may have waited behind others.
LATE_ATTEMPTS_MIN = 4
# Bytes of an answer that the webhook log keeps.
RESPONSE_BYTES_LOGGED_MAX = 1000
# Pre-action requests waiting to be written into the webhook log, over all accounts; one alone has
# half of them, and what it has beyond is not in the log.
PRE_ACTIONS_UNRECORDED_MAX = 2000
# Of these, how many are written in one transaction.
PRE_ACTIONS_PER_WRITE_MAX = 64
# Attempts whose deliveries are replayed by one request.
REPLAYED_ATTEMPTS_MAX = 500
# Attempts and deliveries that are removed in one step, once they are old enough.
EXPIRED_ATTEMPTS_MAX = 500
# So much older than needed may the oldest of them become.
RETENTION_SLACK_MS = 2_000
# The longest time the webhook log can be kept.
WEBHOOK_RETENTION_HOURS_MAX = 10 * 366 * 24
# Messages that a new webhook of a conversation has replayed.
REPLAYED_MESSAGES_MAX = 1000
# Lists of event names, as they are kept, that are remembered as sets.
FILTER_LISTS_CACHED_MAX = 1024
# Rows removed in one step of a background removal, so that nobody waits for it.
PURGE_ROWS_MAX = 200
# A deleted service whose events the webhook intake has not passed yet: pause until the next look.
PURGE_POSTPONED_MS = 500
# From the first byte of a request, or a new connection, to the end of its headers.
HEAD_SECONDS_MAX = 10
# How long an idle connection is kept for the next request.
KEEP_ALIVE_SECONDS = 75
