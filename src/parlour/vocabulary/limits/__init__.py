"""All limits of the server in one place: sizes, counts, rates, intervals and timeouts.

The limits of some areas are in modules of this package. All of them are used as `limits.NAME`. The
comment above a limit is its description in docs/reference/limits.md.
"""

from __future__ import annotations

from parlour.vocabulary.limits.activity import *
from parlour.vocabulary.limits.carriers import *
from parlour.vocabulary.limits.console import *
from parlour.vocabulary.limits.console_gate import *
from parlour.vocabulary.limits.edge import *
from parlour.vocabulary.limits.email import *
from parlour.vocabulary.limits.events import *
from parlour.vocabulary.limits.fairness import *
from parlour.vocabulary.limits.faults import *
from parlour.vocabulary.limits.grouping import *
from parlour.vocabulary.limits.http_carriers import *
from parlour.vocabulary.limits.inbound import *
from parlour.vocabulary.limits.journal import *
from parlour.vocabulary.limits.logins import *
from parlour.vocabulary.limits.minute_metrics import *
from parlour.vocabulary.limits.outbox import *
from parlour.vocabulary.limits.overload import *
from parlour.vocabulary.limits.realtime import *
from parlour.vocabulary.limits.seeds import *
from parlour.vocabulary.limits.sms import *
from parlour.vocabulary.limits.snapshots import *
from parlour.vocabulary.limits.sockets import *
from parlour.vocabulary.limits.steered_clock import *
from parlour.vocabulary.limits.templates import *
from parlour.vocabulary.limits.triggers import *
from parlour.vocabulary.limits.units import *
from parlour.vocabulary.limits.virtual_phones import *
from parlour.vocabulary.limits.waiting_lists import *
from parlour.vocabulary.limits.webhook_samples import *
from parlour.vocabulary.limits.webhooks import *

# --- Requests ---------------------------------------------------------------------------

# Request body of a form, far above any legal request; a larger one gets 413.
BODY_BYTES_MAX = 1 * MEBIBYTE
# All headers of a request together.
HEADER_BYTES_MAX = 32 * KIBIBYTE
# Number of headers of a request.
HEADERS_MAX = 100
# Path of a request, percent-encoded; over HTTP, path and query may be as long as both together.
URL_PATH_BYTES_MAX = 8 * KIBIBYTE
# Query string of a request, percent-encoded.
URL_QUERY_BYTES_MAX = 8 * KIBIBYTE
# Name and value pairs in one form or query string.
FORM_KEYS_MAX = 1000
# Request body timeout, media uploads excepted; beyond it 408.
REQUEST_SECONDS_MAX = 30
# Shutdown timeout: how long accepted requests may take after a stop signal.
DRAIN_SECONDS_MAX = 10
# Length of the listen queue: connections that wait to be accepted.
BACKLOG_MAX = 2048
# Connections accepted in one iteration of the event loop.
ACCEPTED_PER_TURN = 32
# TTL of an idempotency key and its stored response.
IDEMPOTENCY_HOURS = 24
# Length of an Idempotency-Key header.
IDEMPOTENCY_KEY_CHARS_MAX = 256
# Value of the Retry-After header of every 429 and 503.
RETRY_AFTER_SECONDS = 1

# --- Store ------------------------------------------------------------------------------

# Actions that share one commit.
GROUP_ACTIONS_MAX = 256
# How long a group commit stays open for more actions.
GROUP_MS_MAX = 5
# Group commits that one process runs on PostgreSQL concurrently, each for one account.
GROUPS_MAX = 8
# How long an account's group runs on PostgreSQL before a second one of the same account is started.
GROUP_PATIENCE_MS = 20
# Lock timeout of a group on PostgreSQL; after it each of its actions waits for the lock separately.
GROUP_LOCK_MS_MAX = 500
# Cached read sets of changes on PostgreSQL, by account and kind of change.
READ_PLANS_MAX = 1024
# Queue of actions for the writer; beyond it 503.
QUEUE_ACTIONS_MAX = 4096
# Events that a consumer reads in one batch.
EVENTS_PER_BATCH_MAX = 256
# Integers are stored in 64 bits with a sign.
INTEGER_MAX = 2**63 - 1
# Digits an integer parameter may have: as many as INTEGER_MAX has.
INTEGER_DIGITS_MAX = 19

# Rows of settings in the cache; each is invalidated by a change.
SETTINGS_CACHED_MAX = 10_000

# --- Lists ------------------------------------------------------------------------------

# Default page size of most lists.
PAGE_SIZE_DEFAULT = 50
# Maximum page size of most lists; a larger PageSize is lowered to it.
PAGE_SIZE_MAX = 100
# Maximum page size of the lists whose maximum is the default.
PAGE_SIZE_SMALL_MAX = 50
# Maximum page size of the list of an account's API keys.
PAGE_SIZE_KEYS_MAX = 1000
# Default and maximum page size of the list of a conversation's webhooks.
PAGE_SIZE_WEBHOOKS_MAX = 5
# Maximum page size of the list of summaries of conversations.
PAGE_SIZE_SUMMARIES_MAX = 200
# Conversations that a list of summaries can name by their SIDs.
SUMMARY_SIDS_MAX = 50
# Characters of the body of the last message that a summary shows.
SUMMARY_BODY_CHARS_MAX = 160
# JSON of a page's rows over REST; a page ends before it is larger, and the next one continues.
PAGE_BYTES_MAX = 4 * MEBIBYTE
# Rows of a page that are rendered between two checks of its size.
PAGE_ROWS_PER_STEP = 25
# The Page parameter, which is only echoed: it fits the integers of any client.
PAGE_MAX = 2**31 - 1
# A PageToken, in characters: a SID, an order key and a signature.
PAGE_TOKEN_CHARS_MAX = 2 * KIBIBYTE

# --- Names and texts --------------------------------------------------------------------

# FriendlyName of every resource, in characters.
FRIENDLY_NAME_CHARS_MAX = 256
# UniqueName of a conversation, in characters.
UNIQUE_NAME_CHARS_MAX = 256
# Identity of a user or participant, in characters.
IDENTITY_CHARS_MAX = 256
# Address, ProxyAddress and ProjectedAddress, in characters.
ADDRESS_CHARS_MAX = 256
# Author of a message, in characters.
AUTHOR_CHARS_MAX = 256
# Subject of a message, in characters.
SUBJECT_CHARS_MAX = 256
# A webhook's URL, in characters.
URL_CHARS_MAX = 512
# Push templates, in characters.
NOTIFICATION_TEMPLATE_CHARS_MAX = 512
# Name of a push sound, in characters.
NOTIFICATION_SOUND_CHARS_MAX = 128
# A secret of a push credential, in characters: a certificate with its chain fits.
CREDENTIAL_SECRET_CHARS_MAX = 16 * KIBIBYTE
# FriendlyName of an API key, in characters.
KEY_FRIENDLY_NAME_CHARS_MAX = 64
# Identities in the filter of one list of push bindings.
BINDING_IDENTITIES_MAX = 20
# Push bindings of one user.
BINDINGS_PER_IDENTITY_MAX = 100
# A device's address at a push service, in characters.
DEVICE_ADDRESS_CHARS_MAX = 4 * KIBIBYTE
# The name of a type of notification, in characters.
MESSAGE_TYPE_CHARS_MAX = 128
# Types of push notification that one device subscribes to.
MESSAGE_TYPES_MAX = 20
# Attributes of a conversation, in bytes of UTF-8.
CONVERSATION_ATTRIBUTES_BYTES_MAX = 16 * KIBIBYTE
# Attributes of a message, in bytes of UTF-8.
MESSAGE_ATTRIBUTES_BYTES_MAX = 4 * KIBIBYTE
# Attributes of a participant, in bytes of UTF-8.
PARTICIPANT_ATTRIBUTES_BYTES_MAX = 4 * KIBIBYTE
# Attributes of a user, in bytes of UTF-8.
USER_ATTRIBUTES_BYTES_MAX = 16 * KIBIBYTE

# --- Messages ---------------------------------------------------------------------------

# Body of a message, in bytes of UTF-8.
MESSAGE_BODY_BYTES_MAX = 32 * KIBIBYTE
# A rendered content template, as JSON: more than any text becomes with its escapes.
MESSAGE_CONTENT_BYTES_MAX = 256 * KIBIBYTE
# Media in one message of a connected user.
MEDIA_PER_MESSAGE_MAX = 10
# Size of one media file, which is delivered to chat users only.
MEDIA_BYTES_MAX = 150 * MEBIBYTE
# Total size of the media of one message.
MEDIA_PER_MESSAGE_BYTES_MAX = 150 * MEBIBYTE
# Content templates of an account.
CONTENT_TEMPLATES_PER_ACCOUNT_MAX = 1000
# Variables of a content template.
CONTENT_VARIABLES_MAX = 100
# Name of a content variable, in characters.
CONTENT_VARIABLE_KEY_CHARS_MAX = 16
# Value of a content variable, in characters.
CONTENT_VARIABLE_VALUE_CHARS_MAX = 256
# ContentVariables as a whole, in bytes: all variables at full length in ASCII, and quotes.
CONTENT_VARIABLES_BYTES_MAX = 32 * KIBIBYTE

# --- Media ------------------------------------------------------------------------------

# A file name, in characters.
MEDIA_FILENAME_CHARS_MAX = 255
# A Content-Type, in characters.
MEDIA_TYPE_CHARS_MAX = 255
# Media that one MediaSet request may ask for.
MEDIA_SET_MAX = 100
# Body of a MediaSet request, in bytes; MEDIA_SET_MAX SIDs need less than a quarter of it.
MEDIA_SET_BYTES_MAX = 32 * KIBIBYTE
# TTL of a temporary URL of a media file.
MEDIA_URL_SECONDS = 300
# Multipart form without its file: boundaries, headers and small fields.
MULTIPART_FRAME_BYTES_MAX = 64 * KIBIBYTE
# Upload timeout before the transferred bytes extend it.
UPLOAD_GRACE_SECONDS = 30
# Minimum average rate of an upload after the grace period; a slower one is aborted with 408.
UPLOAD_BYTES_PER_SECOND_MIN = 32 * KIBIBYTE
# Duration of the longest upload that follows from both.
UPLOAD_SECONDS_MAX = UPLOAD_GRACE_SECONDS + MEDIA_BYTES_MAX // UPLOAD_BYTES_PER_SECOND_MIN
# Concurrent uploads over all accounts; beyond it 503.
UPLOADS_MAX = 200
# Concurrent uploads of one account; beyond it 429.
UPLOADS_PER_ACCOUNT_MAX = 50
# Concurrent downloads over all accounts; beyond it 503.
DOWNLOADS_MAX = 500
# Concurrent downloads of one account; beyond it 429.
DOWNLOADS_PER_ACCOUNT_MAX = 200
# Chunk that a thread reads from or writes to a media file.
BLOB_PIECE_BYTES = 256 * KIBIBYTE
# Threads for reading and writing media files.
BLOB_THREADS = 8
# Media of one chat user without a message; the next upload gets 429. Uploads with the account's own
# login are not limited.
UNATTACHED_PER_UPLOADER_MAX = 100
# Total size of a chat user's media without a message: ten full messages.
UNATTACHED_BYTES_PER_UPLOADER_MAX = 10 * MEDIA_PER_MESSAGE_BYTES_MAX
# TTL of media without a message, and of files left behind by a crash.
MEDIA_UNATTACHED_MS = 24 * 60 * 60 * 1000
# Interval between two sweeps for files left behind by a crash.
MEDIA_SWEEP_PAUSE_MS = 60 * 60 * 1000
# Time from the first sweep that finds an old file without a row to its deletion: longer than any
# upload, so that no clock that is set forward ends one.
MEDIA_ORPHAN_MS = UPLOAD_SECONDS_MAX * 1000
# Media whose files are deleted in one step.
MEDIA_REMOVED_PER_STEP_MAX = 50
# Lingering close: how long the body is drained after an early error, so that the client can read
# the response.
LINGER_SECONDS_MAX = 10
# Write timeout: how long a client may accept no bytes of a response before its connection is
# closed.
SEND_STALL_SECONDS_MAX = 30

# --- Conversations and participants -----------------------------------------------------

# Participants of a conversation.
PARTICIPANTS_PER_CONVERSATION_MAX = 1000
# Participants of a conversation that are not chat users.
NON_CHAT_PARTICIPANTS_MAX = 50
# Participants of a group MMS conversation.
GROUP_MMS_PARTICIPANTS_MAX = 10
# Active and inactive conversations of one identity; closed ones are not counted.
CONVERSATIONS_PER_IDENTITY_MAX = 1000
# Participants created together with a conversation.
PARTICIPANTS_PER_REQUEST_MAX = 10
# JSON of one such participant: 4 KiB of attributes, escaped, and the addresses.
PARTICIPANT_JSON_BYTES_MAX = 32 * KIBIBYTE
# Largest count of unread messages.
UNREAD_MESSAGES_MAX = 1000
# Shortest timer to inactive; 0 disables it.
TIMER_INACTIVE_SECONDS_MIN = 60
# Shortest timer to closed; 0 disables it.
TIMER_CLOSED_SECONDS_MIN = 600
# The longest timer: ten years.
TIMER_SECONDS_MAX = 10 * 365 * 24 * 60 * 60
# Digits of a number in an ISO 8601 duration: those of TIMER_SECONDS_MAX.
DURATION_DIGITS_MAX = 9
# Permission parameters of one role; there are far fewer permissions.
PERMISSIONS_PER_ROLE_MAX = 100

# --- Webhooks ---------------------------------------------------------------------------

# Webhooks of a conversation.
WEBHOOKS_PER_CONVERSATION_MAX = 5
# Triggers of a webhook.
TRIGGERS_PER_WEBHOOK_MAX = 5
# A trigger, in characters.
TRIGGER_CHARS_MAX = 248
# Filters parameters of one webhook; there are fewer event names.
FILTERS_PER_WEBHOOK_MAX = 64
# Timeout of a webhook request.
WEBHOOK_SECONDS_MAX = 5
# Retries that an account can configure for a webhook or flow.
WEBHOOK_RETRIES_MAX = 3

# --- Connections ------------------------------------------------------------------------

# Connections of connected users, per account.
CONNECTIONS_PER_ACCOUNT_MAX = 7000
# Connections of connected users in total.
CONNECTIONS_MAX = 100_000

# --- Caches -----------------------------------------------------------------------------

# Cached textual forms of dates, one for each second.
WRITTEN_DATES_MAX = 4096

# --- Logs and the store --------------------------------------------------------------------

# Duration from which a request is logged like an error.
SLOW_REQUEST_SECONDS = 1
# SQLite busy timeout of one statement, which blocks the event loop.
STORE_BUSY_MS_MAX = 20
# Backward jump of the clock from which due times are capped.
CLOCK_SET_BACK_MS_MIN = 1_000
# Retry interval while another process holds the write lock, or before a gap in the event log.
STORE_RETRY_MS = 5
# Timeout of connecting to the database.
STORE_CONNECT_MS_MAX = 2_000
# Timeout of one attempt at a transaction, lock waits included; beyond it 503.
STORE_TRANSACTION_MS_MAX = 5_000
# Age from which a transaction counts as orphaned: every timeout of its node has expired.
ORPHANED_TRANSACTION_MS_MIN = 7_500
# Interval between two polls for orphaned transactions.
ORPHANED_TRANSACTIONS_POLL_MS = 2_500
# Attempts at a transaction that fails by conflicts.
STORE_TRIES_MAX = 8
# Lease TTL: without a renewal for this long, another process can acquire the lease.
LEASE_MS = 3_000
# Pages of write-ahead log after which a checkpoint starts (4 KiB each).
WAL_PAGES_CHECKPOINT = 1000
# Pages of write-ahead log after which a checkpoint also resets the log unless a reader needs it: 48
# MiB.
WAL_PAGES_MAX = 12_288
# Size above which the log file is truncated once no reader needs it.
WAL_BYTES_MAX = 64 * MEBIBYTE
# Size of the log from which the reader that prevents its reset is logged.
WAL_WARNED_BYTES = 1024 * MEBIBYTE
# Minimum interval between two updates of the embedded database's statistics (ANALYZE).
STATISTICS_MS = 3_600_000
# Rows of each index that ANALYZE reads, so that writers wait for milliseconds only.
STATISTICS_ROWS = 400
# Retry interval of a checkpoint that a reader kept from completing.
WAL_RETRY_MS = 2_000

# --- The dispatcher and the event log -------------------------------------------------------

# Fallback polling interval of a sink.
DISPATCH_POLL_MS = 250
# Timeout of a request to Redis, which carries hints only.
HINT_MS_MAX = 1_000
# Minimum interval between two hints of a node to the others.
HINT_PAUSE_MS = 5
# Retry interval of a sink after an error.
SINK_RETRY_MS = 500
# Events skipped by a sink before its position is checkpointed.
CHECKPOINT_EVENTS_MAX = 4096
# Minimum retention of an event, even if every sink has passed it.
EVENT_RETENTION_MS = 72 * 60 * 60 * 1000
# Events deleted in one step.
RETIRED_EVENTS_MAX = 500
# Interval between two deletions of old events.
RETIRE_PAUSE_MS = 60_000

# --- The scheduler --------------------------------------------------------------------------

# Polling interval of the scheduler, and backoff of a failed job.
SCHEDULER_POLL_MS = 1000
# Debounce of the scheduler: wake-ups within this time cause one turn.
SCHEDULER_DEBOUNCE_MS = 50
# Conversation timers that are executed in one transaction.
TIMERS_PER_STEP_MAX = 50
# Conversations whose participants are added concurrently; one account alone gets half.
PENDING_CONVERSATIONS_MAX = 100
# Conversations with a pre-action request about their participants in flight, over all accounts; one
# account alone gets half.
PENDING_CONVERSATIONS_ASKED_MAX = 256
# Accounts at their share that are skipped in one search for conversations of other accounts.
PENDING_ACCOUNTS_SKIPPED_MAX = 8
# Cached root URLs, by Host header; a forged header costs one cache miss.
ROOT_URLS_CACHED_MAX = 256

# --- Local certificates ----------------------------------------------------------------

# Validity of a local certificate authority, in days; clients have to trust a new one by hand.
AUTHORITY_DAYS = 730
# Validity of a certificate issued by it, in days; a command renews it.
CERTIFICATE_DAYS = 90
# Remaining validity below which the command renews a certificate, in days.
CERTIFICATE_RENEWED_DAYS = 30
# Remaining validity below which the doctor warns of a certificate, in days.
CERTIFICATE_WARNED_DAYS = 14

# --- The request log ------------------------------------------------------------------------

# Segments of an unknown path in the request log; the remainder counts as one more.
LOGGED_PATH_PARTS_MAX = 10

# --- Backups --------------------------------------------------------------------------------

# Database pages copied between two progress reports of a backup: 16 MiB.
BACKUP_PAGES_PER_STEP = 4096
# How long a backup waits for a database that is locked by a starting or stopping server.
BACKUP_BUSY_MS_MAX = 10_000
# Manifest of a backup to restore; those made by Parlour have less than 1 KiB.
BACKUP_MANIFEST_BYTES_MAX = MEBIBYTE
# Bytes that one header of a tar archive can make a restore read at once.
BACKUP_HEADER_BYTES_MAX = MEBIBYTE
# Bytes of a line in SHA256SUMS in addition to the file name.
BACKUP_SUM_BYTES = 80
# Characters of an unexpected file name that an error of a restore shows.
BACKUP_NAME_CHARS_SHOWN = 200
# Rows copied to another store in one step; the largest have 50 KiB.
MOVED_ROWS_PER_STEP_MAX = 2000
# Minimum interval between two progress reports of a command.
PROGRESS_MS = 500

# --- Minimums of the doctor -------------------------------------------------------

# Free space on the disk of the data folder below which the doctor reports an error: 1 GiB.
DISK_FREE_BYTES_MIN = 1024 * MEBIBYTE
# File descriptors of a process in addition to sockets and media: databases, logs, the event loop.
OTHER_FILES_MAX = 64
# Length of a secret below which the doctor considers it guessable, in characters.
SECRET_CHARS_MIN = 20
