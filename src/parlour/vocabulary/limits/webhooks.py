"""Limits of webhooks and of all other outbound requests."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE

# A TCP port.
PORT_MAX = 65_535
# A host name in its ASCII form, without the dot at the end.
HOST_NAME_CHARS_MAX = 253
# Cached parses of configured URLs.
PREPARED_URLS_MAX = 4096
# Bytes of a response that are read unless more is requested; the remainder is never fetched.
RESPONSE_BYTES_READ_MAX = 20_000
# The same for a pre-action webhook, whose response may change the action.
PRE_ACTION_RESPONSE_BYTES_READ_MAX = 64 * KIBIBYTE
# Status line and headers of a response together.
RESPONSE_HEAD_BYTES_MAX = 32 * KIBIBYTE
# Challenge of a receiver that requires Digest authentication; a longer one is ignored.
CHALLENGE_CHARS_MAX = 4 * KIBIBYTE
# Interim responses (1xx) before the final one.
INTERIM_RESPONSES_MAX = 8
# Concurrent outbound requests; further ones wait. One account alone gets half of them: the rest
# stays free for other accounts.
OUTBOUND_REQUESTS_MAX = 576
# The same for pre-action requests, for which a caller waits: they have separate slots.
OUTBOUND_AWAITED_REQUESTS_MAX = 256
# The same for one scheme, host and port of one account, so that a hanging host cannot take all
# slots: as many as webhooks and probes of one host together.
OUTBOUND_REQUESTS_PER_TARGET_MAX = 18
# How long a request waits for a slot; its own timeout starts afterwards.
OUTBOUND_SLOT_WAIT_MS_MAX = 2_000
# Idle outbound connections in the pool.
IDLE_CONNECTIONS_MAX = 128
# Idle timeout of an outbound connection.
IDLE_CONNECTION_MS_MAX = 15_000
# Maximum age of an outbound connection, so that a changed address is noticed.
CONNECTION_AGE_MS_MAX = 60_000
# Addresses of one host that are tried, in the resolver's order.
ADDRESSES_TRIED_MAX = 4
# Connect timeout for one address while there are others to try.
CONNECT_MS_MAX = 1_000
# Concurrent DNS lookups, each in a separate thread.
RESOLUTIONS_MAX = 64
# Longest delay that a Retry-After header can request: that of the longest retry step.
RETRY_AFTER_MS_MAX = 3 * 60 * 60 * 1000
# Jitter: the maximum extension of a retry delay, in percent.
RETRY_JITTER_PERCENT = 10
# Deliveries that one event can cause, those of a ReplayAfter included.
DELIVERIES_PER_EVENT_MAX = 2**19
# Events whose deliveries are enqueued in one transaction.
EVENTS_PER_ENQUEUING_MAX = 32
# Pending deliveries of one account; beyond it the oldest are dropped and logged. At 1.5 KB each
# this is 1.5 GB of disk.
DELIVERIES_PENDING_PER_ACCOUNT_MAX = 1_000_000
# Deliveries dropped in one transaction, at least.
DELIVERIES_DROPPED_PER_STEP_MAX = 100
# Concurrent webhook requests over all accounts; one account alone gets half of them.
WEBHOOKS_AT_ONCE_MAX = 512
# The same for one host (scheme, name and port) of one account, over all its URLs.
WEBHOOKS_AT_ONCE_PER_HOST_MAX = 16
# Remainder of that limit for a host whose URLs time out one after the other.
WEBHOOKS_AT_ONCE_PER_HOST_MIN = 2
# Concurrent probes to URLs of one account whose last request timed out; one for each URL.
PROBES_PER_ACCOUNT_MAX = 64
# The same for one host of the account.
PROBES_PER_HOST_MAX = 2
# The same for one URL of one account, below that of its host; a hanging URL gets one.
WEBHOOKS_AT_ONCE_PER_ENDPOINT_MAX = 12
# Concurrent requests to a URL before its first response.
WEBHOOKS_AT_ONCE_FIRST = 4
# Lanes (one URL and one conversation) of one URL in memory, for each concurrent request of it.
LANES_PER_REQUEST_MAX = 4
# Lanes in memory over all accounts; the others wait on disk. One account alone gets half of them.
LANES_MAX = 4096
# Lanes in memory of one account's URLs whose last request timed out.
LANES_HANGING_PER_ACCOUNT_MAX = 512
# Deliveries of one lane that are read ahead.
LANE_DELIVERIES_MAX = 8
# Attempts whose results are not committed yet, which may be repeated after a crash; beyond it only
# accounts without such attempts send. Also the batch size of one write.
ATTEMPTS_UNRECORDED_MAX = 64
# Webhook requests started in one iteration of the event loop.
WEBHOOKS_STARTED_PER_LOOP_TURN = 8
# Longest interval between two polls for due deliveries.
WEBHOOK_POLL_MS_MAX = 300_000
# Interval at which the age of the oldest delivery is measured.
WEBHOOK_METRICS_MS = 5_000
# Endpoints read in one transaction at startup.
ENDPOINTS_PER_STEP_MAX = 100
# Endpoints (URLs of accounts) in memory, about 1 KiB each; others wait on disk. Endpoints in use
# are not evicted; there are fewer of them.
ENDPOINTS_KNOWN_MAX = 10_000
# Endpoints evicted at once.
ENDPOINTS_DROPPED_PER_STEP_MAX = 1000
# Interval between two steps of a search for evicted endpoints.
ENDPOINTS_STEP_PAUSE_MS = 10
# Retry interval of such a search while all endpoints in memory are in use or due.
ENDPOINTS_FULL_MS = 1000
# Outdated entries in the schedule of polls.
POLLS_OUTDATED_MAX = 1000
# CPU share of deliveries while requests are in flight, in percent. With the overhead of the event
# loop, requests retain more than 0.7 of their rate.
DELIVERY_SHARE_PERCENT = 10
# Accounts whose CPU share is measured separately; the others share one part.
DELIVERY_ACCOUNTS_MEASURED_MAX = 256
# Burst: CPU time that deliveries may use after an idle period before their share applies.
DELIVERY_BURST_MS = 10
# TTL of the cached signing settings of an account's webhooks.
SIGNING_CACHED_MS_MAX = 1000
# Accounts whose signing settings are cached.
SIGNING_CACHED_MAX = 1000
# Longest connect timeout of a connection override.
OVERRIDE_CONNECT_MS_MAX = 10_000
# Longest total timeout of a connection override.
OVERRIDE_TOTAL_MS_MAX = 15_000
# Most retries of a connection override.
OVERRIDE_RETRIES_MAX = 5
# Attempts that a delivery still gets after its deadline, since it may have waited for others.
LATE_ATTEMPTS_MIN = 4
# Bytes of a response in the webhook log.
RESPONSE_BYTES_LOGGED_MAX = 1000
# Pre-action requests queued for the webhook log, over all accounts; one account alone gets half.
# Further ones are not logged.
PRE_ACTIONS_UNRECORDED_MAX = 2000
# Pre-action requests written in one transaction.
PRE_ACTIONS_PER_WRITE_MAX = 64
# Attempts whose deliveries are replayed by one request.
REPLAYED_ATTEMPTS_MAX = 500
# Attempts of an account among which a list by URL searches.
ATTEMPTS_SEARCHED_MAX = 5_000
# Attempts and deliveries deleted in one step after their retention.
EXPIRED_ATTEMPTS_MAX = 500
# Age beyond the retention that the oldest of them may reach.
RETENTION_SLACK_MS = 2_000
# Longest retention of the webhook log.
WEBHOOK_RETENTION_HOURS_MAX = 10 * 366 * 24
# Messages that are replayed for a new webhook of a conversation.
REPLAYED_MESSAGES_MAX = 1000
# Cached sets of event names, by their stored list.
FILTER_LISTS_CACHED_MAX = 1024
# Rows deleted in one step of a background purge, so that no request waits for it.
PURGE_ROWS_MAX = 200
# Retry interval of the purge of a service whose events the webhook intake has not passed yet.
PURGE_POSTPONED_MS = 500
# From the first byte of a request, or a new connection, to the end of its headers.
HEAD_SECONDS_MAX = 10
# How long an idle connection is kept for the next request.
KEEP_ALIVE_SECONDS = 75
