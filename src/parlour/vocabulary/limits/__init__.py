"""Every bound of the server, in one place: what is the maximum of anything?

Those of webhooks and of the socket are many, and stand in files of their own beside this one; all
of them are used by the name ``limits`` alone.
"""

from __future__ import annotations

from parlour.vocabulary.limits.edge import *
from parlour.vocabulary.limits.fairness import *
from parlour.vocabulary.limits.grouping import *
from parlour.vocabulary.limits.logins import *
from parlour.vocabulary.limits.overload import *
from parlour.vocabulary.limits.realtime import *
from parlour.vocabulary.limits.sockets import *
from parlour.vocabulary.limits.units import *
from parlour.vocabulary.limits.webhooks import *

# --- Requests ---------------------------------------------------------------------------

# A form of a legal request is far below this; a larger body is answered with 413.
BODY_BYTES_MAX = 1 * MEBIBYTE
# All headers of a request together.
HEADER_BYTES_MAX = 32 * KIBIBYTE
# Number of headers of a request.
HEADERS_MAX = 100
# Path of a request, percent-encoded; over HTTP, path and query may be as long as both together.
URL_PATH_BYTES_MAX = 8 * KIBIBYTE
# Query string of a request, percent-encoded.
URL_QUERY_BYTES_MAX = 8 * KIBIBYTE
# Name and value pairs in one form or query; more would be an attack on our dictionaries.
FORM_KEYS_MAX = 1000
# A body, other than an upload of media, that takes longer is answered with 408.
REQUEST_SECONDS_MAX = 30
# Accepted requests get this long to end when the server is told to stop.
DRAIN_SECONDS_MAX = 10
# Connections that may wait until they are accepted.
BACKLOG_MAX = 2048
# ... and how many are accepted in one turn of the loop.
ACCEPTED_PER_TURN = 32
# An idempotency key is remembered this long.
IDEMPOTENCY_HOURS = 24
# Length of an Idempotency-Key header.
IDEMPOTENCY_KEY_CHARS_MAX = 256
# Seconds a refused caller is asked to wait, in Retry-After.
RETRY_AFTER_SECONDS = 1

# --- Store ------------------------------------------------------------------------------

# Actions that share one commit.
GROUP_ACTIONS_MAX = 256
# The longest time a group stays open for more actions.
GROUP_MS_MAX = 5
# Groups that one process has PostgreSQL run at once, each for one account.
GROUPS_MAX = 8
# How long an account's group on PostgreSQL runs before another of the same account is begun.
GROUP_PATIENCE_MS = 20
# How long a group on PostgreSQL waits for a lock; then each of its actions waits by itself.
GROUP_LOCK_MS_MAX = 500
# Kinds of changes, by account, of which it is known what they read on PostgreSQL.
READ_PLANS_MAX = 1024
# Actions waiting for the writer; the next one is answered with 503.
QUEUE_ACTIONS_MAX = 4096
# Events a consumer reads at once.
EVENTS_PER_BATCH_MAX = 256
# Integers are stored in 64 bits with a sign.
INTEGER_MAX = 2**63 - 1
# Digits an integer parameter may have: as many as INTEGER_MAX has.
INTEGER_DIGITS_MAX = 19

# Rows of settings that are remembered until one changes.
SETTINGS_CACHED_MAX = 10_000

# --- Lists ------------------------------------------------------------------------------

# The page size of most lists, when none is asked for.
PAGE_SIZE_DEFAULT = 50
# The page size above which most lists lower what is asked for.
PAGE_SIZE_MAX = 100
# The same for lists whose pages never have more than the default.
PAGE_SIZE_SMALL_MAX = 50
# The same for the list of an account's API keys.
PAGE_SIZE_KEYS_MAX = 1000
# Default and maximum of the list of a conversation's webhooks.
PAGE_SIZE_WEBHOOKS_MAX = 5
# The rows of a page as JSON, over REST; a larger page ends early, and the next one goes on.
PAGE_BYTES_MAX = 4 * MEBIBYTE
# Rows of a page that are rendered before their size is looked at.
PAGE_ROWS_PER_STEP = 25
# The Page parameter is only echoed, yet it has to fit the integers of any client.
PAGE_MAX = 2**31 - 1
# Length of a PageToken; ours hold a sid, an order key and a signature.
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
# Devices of one user that are pushed to.
BINDINGS_PER_IDENTITY_MAX = 100
# What a push service calls a device, in characters.
DEVICE_ADDRESS_CHARS_MAX = 4 * KIBIBYTE
# The name of a type of notification, in characters.
MESSAGE_TYPE_CHARS_MAX = 128
# Types of notification that one device asks for.
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
# What a content template makes for clients, as JSON: more than a text makes with its escapes.
MESSAGE_CONTENT_BYTES_MAX = 256 * KIBIBYTE
# Body of a message that has a recipient outside the chat, in characters.
MESSAGE_BODY_CHANNEL_CHARS_MAX = 1600
# Media a message of a connected user may have.
MEDIA_PER_MESSAGE_MAX = 10
# Size of a medium sent to chat users only.
MEDIA_BYTES_MAX = 150 * MEBIBYTE
# Size of all media of a message together.
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
# A MediaSet request, in bytes; one of MEDIA_SET_MAX has less than a quarter of that.
MEDIA_SET_BYTES_MAX = 32 * KIBIBYTE
# How long a temporary URL of a medium is good for.
MEDIA_URL_SECONDS = 300
# What a multipart form may have around its file: boundaries, headers and small fields.
MULTIPART_FRAME_BYTES_MAX = 64 * KIBIBYTE
# An upload gets this long, and more time for what has arrived, at the slowest rate ...
UPLOAD_GRACE_SECONDS = 30
# ... which is this: below it, on the whole, an upload is broken off with 408.
UPLOAD_BYTES_PER_SECOND_MIN = 32 * KIBIBYTE
# So the longest upload takes this long.
UPLOAD_SECONDS_MAX = UPLOAD_GRACE_SECONDS + MEDIA_BYTES_MAX // UPLOAD_BYTES_PER_SECOND_MIN
# Uploads at the same time, over all accounts; the next one is answered with 503.
UPLOADS_MAX = 200
# The same for one account; the next one is answered with 429.
UPLOADS_PER_ACCOUNT_MAX = 50
# Downloads at the same time, over all accounts; the next one is answered with 503.
DOWNLOADS_MAX = 500
# The same for one account; the next one is answered with 429.
DOWNLOADS_PER_ACCOUNT_MAX = 200
# What is read from or written to a medium's file at once, by a thread.
BLOB_PIECE_BYTES = 256 * KIBIBYTE
# Threads that read and write files of media.
BLOB_THREADS = 8
# Media of one chat user that wait for a message; the next upload is answered with 429. The
# account's own callers are trusted with as many as they like.
UNATTACHED_PER_UPLOADER_MAX = 100
# Their size together: ten messages, as full as can be.
UNATTACHED_BYTES_PER_UPLOADER_MAX = 10 * MEDIA_PER_MESSAGE_BYTES_MAX
# Media that no message carries are removed after this time, and so is what a crash left.
MEDIA_UNATTACHED_MS = 24 * 60 * 60 * 1000
# The pause between two looks for files that a crash left.
MEDIA_SWEEP_PAUSE_MS = 60 * 60 * 1000
# Media whose files are removed in one step.
MEDIA_REMOVED_PER_STEP_MAX = 50
# Who is refused while still sending is listened to for so long, to be sure to hear the answer.
LINGER_SECONDS_MAX = 10
# Who takes nothing of an answer for so long is cut off.
SEND_STALL_SECONDS_MAX = 30

# --- Conversations and participants -----------------------------------------------------

# Participants of a conversation.
PARTICIPANTS_PER_CONVERSATION_MAX = 1000
# Participants of a conversation that are not chat users.
NON_CHAT_PARTICIPANTS_MAX = 50
# Participants of a group MMS conversation.
GROUP_MMS_PARTICIPANTS_MAX = 10
# Conversations of an identity that are active or inactive; closed ones do not count.
CONVERSATIONS_PER_IDENTITY_MAX = 1000
# Participants sent together with a new conversation.
PARTICIPANTS_PER_REQUEST_MAX = 10
# One of those participants as JSON: four KiB of attributes, escaped, and the addresses.
PARTICIPANT_JSON_BYTES_MAX = 32 * KIBIBYTE
# Unread messages are counted up to here.
UNREAD_MESSAGES_MAX = 1000
# The shortest timer to inactive that is not off.
TIMER_INACTIVE_SECONDS_MIN = 60
# The shortest timer to closed that is not off.
TIMER_CLOSED_SECONDS_MIN = 600
# The longest timer: ten years.
TIMER_SECONDS_MAX = 10 * 365 * 24 * 60 * 60
# Digits a number in a duration may have: as many as TIMER_SECONDS_MAX has.
DURATION_DIGITS_MAX = 9
# Permissions sent for one role; there are far fewer names.
PERMISSIONS_PER_ROLE_MAX = 100

# --- Webhooks ---------------------------------------------------------------------------

# Webhooks of a conversation.
WEBHOOKS_PER_CONVERSATION_MAX = 5
# Triggers of a webhook.
TRIGGERS_PER_WEBHOOK_MAX = 5
# A trigger, in characters.
TRIGGER_CHARS_MAX = 248
# Filters sent for one webhook; there are fewer event names.
FILTERS_PER_WEBHOOK_MAX = 64
# A webhook has this long to answer.
WEBHOOK_SECONDS_MAX = 5
# Retries of a webhook or flow, as configured by the account.
WEBHOOK_RETRIES_MAX = 3

# --- Connections ------------------------------------------------------------------------

# Connections of connected users, per account.
CONNECTIONS_PER_ACCOUNT_MAX = 7000
# Connections of connected users in total.
CONNECTIONS_MAX = 100_000

# --- Caches -----------------------------------------------------------------------------

# Seconds whose written form is remembered.
WRITTEN_DATES_MAX = 4096

# --- Logs and the store --------------------------------------------------------------------

# A request that takes longer is logged like an error.
SLOW_REQUEST_SECONDS = 1
# How long a statement waits for another process that writes; the loop waits with it.
STORE_BUSY_MS_MAX = 20
# A clock that shows less than before by so much was set back: what is due is capped.
CLOCK_SET_BACK_MS_MIN = 1_000
# The pause of who waits for another process that writes: to begin, or before a gap in the log.
STORE_RETRY_MS = 5
# How long a new connection to the database may take.
STORE_CONNECT_MS_MAX = 2_000
# How long one attempt at an action may take, or wait for a lock; then it is answered 503.
STORE_TRANSACTION_MS_MAX = 5_000
# A transaction that is older was left by its node: every limit of its own has passed.
ORPHANED_TRANSACTION_MS_MIN = 7_500
# The pause between two looks for transactions that were left.
ORPHANED_TRANSACTIONS_POLL_MS = 2_500
# How often an action is run that others raced: each race was won by somebody.
STORE_TRIES_MAX = 8
# An owner of work that falls silent for so long is followed by another.
LEASE_MS = 3_000
# Pages of write-ahead log after which a checkpoint begins (4 KiB each).
WAL_PAGES_CHECKPOINT = 1000
# Pages of write-ahead log at which a checkpoint also resets the log, if no reader needs it: 48 MiB.
WAL_PAGES_MAX = 12_288
# A file of the log that became longer, for a reader, is truncated once no reader needs it.
WAL_BYTES_MAX = 64 * MEBIBYTE
# A log that a reader keeps from being reset is logged from this length on, with the reader.
WAL_WARNED_BYTES = 1024 * MEBIBYTE
# Statistics of the embedded database are brought up to date no more often than this.
STATISTICS_MS = 3_600_000
# Rows of each index that are read for them at most, so that writers wait for milliseconds.
STATISTICS_ROWS = 400
# The pause before a checkpoint that a reader kept from its end is tried again.
WAL_RETRY_MS = 2_000

# --- The dispatcher and the event log -------------------------------------------------------

# A sink looks for events at least this often, even if nobody woke it.
DISPATCH_POLL_MS = 250
# How long Redis gets to answer; it is asked for nothing but a hint.
HINT_MS_MAX = 1_000
# The shortest time between two hints of a node to the others.
HINT_PAUSE_MS = 5
# A sink that failed is tried again after this pause.
SINK_RETRY_MS = 500
# Events that a sink passed without taking them, before its position is kept again.
CHECKPOINT_EVENTS_MAX = 4096
# An event is kept this long, even if every sink is past it.
EVENT_RETENTION_MS = 72 * 60 * 60 * 1000
# Events that are removed in one step, so that nobody waits for it.
RETIRED_EVENTS_MAX = 500
# The pause between two looks for events to remove.
RETIRE_PAUSE_MS = 60_000
# Bindings to which messages are handed over at the same time; the next one waits its turn.
OUTBOUND_LANES_MAX = 64

# --- The scheduler --------------------------------------------------------------------------

# The scheduler looks for what is due at least this often, even if nobody woke it.
SCHEDULER_POLL_MS = 1000
# News within this time are looked at together.
SCHEDULER_DEBOUNCE_MS = 50
# Timers of conversations that act in one transaction.
TIMERS_PER_STEP_MAX = 50
# Conversations that get their participants at the same time; one account alone has half of them.
PENDING_CONVERSATIONS_MAX = 100
# Conversations about whose participants a webhook is being asked, over all accounts; one alone has
# half of them, so that the others find room.
PENDING_CONVERSATIONS_ASKED_MAX = 256
# Accounts that have their share of them and are passed over while those of others are looked for.
PENDING_ACCOUNTS_SKIPPED_MAX = 8
# Root URLs that were made of Host headers and are remembered; one that lies costs a look-up.
ROOT_URLS_CACHED_MAX = 256

# --- Certificates of our own ----------------------------------------------------------------

# How long a local authority is good for, in days: trusting it again is work for people.
AUTHORITY_DAYS = 730
# How long a certificate that it gives is good for, in days: making a new one is a command.
CERTIFICATE_DAYS = 90
# A certificate with fewer days left than this is made anew when the command is run.
CERTIFICATE_RENEWED_DAYS = 30
# The doctor warns of any certificate that ends sooner than this.
CERTIFICATE_WARNED_DAYS = 14

# --- The request log ------------------------------------------------------------------------

# Parts of an unknown path that the request log looks at; what is behind them is one more.
LOGGED_PATH_PARTS_MAX = 10

# --- Backups --------------------------------------------------------------------------------

# Pages of the database that a backup copies in one step, before it says how far it is: 16 MiB.
BACKUP_PAGES_PER_STEP = 4096
# How long a backup waits for a database that a starting or stopping server has locked.
BACKUP_BUSY_MS_MAX = 10_000
# The manifest of a backup that is restored; one that Parlour made has less than a kilobyte.
BACKUP_MANIFEST_BYTES_MAX = MEBIBYTE
# What one header of a packed backup may make a restore read at once.
BACKUP_HEADER_BYTES_MAX = MEBIBYTE
# A line of SHA256SUMS has no more bytes than this beside the name of its file.
BACKUP_SUM_BYTES = 80
# Characters of a foreign file's name that the error of a restore shows.
BACKUP_NAME_CHARS_SHOWN = 200
# Rows that are moved to another store in one step; the largest have 50 KiB.
MOVED_ROWS_PER_STEP_MAX = 2000
# A command that takes long says how far it is, no more often than this.
PROGRESS_MS = 500

# --- What the doctor finds too little -------------------------------------------------------

# Free room on the disk of the data folder: 1 GiB.
DISK_FREE_BYTES_MIN = 1024 * MEBIBYTE
# Open files of a process besides sockets and media: databases, logs, the event loop.
OTHER_FILES_MAX = 64
# Characters of a secret that nobody can guess.
SECRET_CHARS_MIN = 20
