"""Limits of inbound messages of carriers."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# Inbound messages of an account that wait for processing; beyond it a carrier gets no
# acknowledgement, and redelivers later.
INBOX_BACKLOG_MAX = 10_000
# Waiting messages of an account up to which messages that were given up are replayed: half of the
# backlog, so that there is room for new ones.
INBOX_REPLAY_BACKLOG_MAX = 5_000
# Messages that one transaction replays.
INBOX_REPLAYED_PER_STEP_MAX = 100
# How long the identifier of a processed inbound message is stored, to recognise a redelivery; also
# the content of a message that the server could not process.
INBOX_RETENTION_HOURS = 7 * 24
# Expired rows of the inbox, and WhatsApp windows, that one step deletes.
INBOX_EXPIRED_PER_STEP_MAX = 500
# How long an inbound message that was not acknowledged to its carrier's network counts as one that
# the network will deliver again; for carriers whose messages have no identifier.
INBOX_UNACKNOWLEDGED_HOURS = 24
# Such messages of one carrier that are read at its start: the last ones.
INBOX_UNACKNOWLEDGED_READ_MAX = 100_000
# Acknowledgements to networks that are recorded with one statement.
INBOX_ACKNOWLEDGEMENTS_PER_STATEMENT = 32
# Acknowledgements that one transaction records.
INBOX_ACKNOWLEDGEMENTS_PER_STEP_MAX = 256
# Acknowledgements that are not recorded yet; beyond it inbound messages of carriers without
# identifiers get a temporary error.
INBOX_ACKNOWLEDGEMENTS_MAX = 10_000
# How long the stop of a carrier waits until its acknowledgements are recorded.
INBOX_ACKNOWLEDGEMENTS_SECONDS_MAX = 2
# Age of a WhatsApp window at which its row is deleted; the window itself lasts 24 hours.
WHATSAPP_WINDOW_RETENTION_HOURS = 48
# Inbound messages that one step of the sweep after crashes starts to process.
INBOX_SWEPT_PER_STEP_MAX = 200
# Earlier messages that are compared with a group message, to find its copies.
GROUP_COPIES_MAX = 100
# How long a node may process a message before another node takes it over; a crash delays it so
# long. Longer than a pre-action webhook may take.
INBOX_CLAIM_MS = 15_000
# Copies of one group message arrive at several own numbers within this time.
GROUP_COPIES_MS = 60_000
# How long a message waits for its conversation to become active; then it is dropped.
INITIALIZING_WAIT_MS = 30_000
# Interval of the attempts during that time.
INITIALIZING_RETRY_MS = 500
# Open conversations of an e-mail address that are compared, to find the last one.
OPEN_MAIL_THREADS_MAX = 100
# Lanes of one account that are processed concurrently: each may wait for a pre-action webhook.
INBOX_LANES_PER_ACCOUNT_MAX = 64
# Interval at which a lane checks whether another node has processed an earlier message.
INBOX_LANE_POLL_MS = 100
# Backoff of a lane after an error of the store, and the delay of a message that failed, which
# doubles with each attempt.
INBOX_RETRY_MS = 1_000
# Attempts to process an inbound message; then it is dropped, so that it does not block its lane,
# and its row keeps the content.
INBOX_ATTEMPTS_MAX = 5
# Interval at which a caller checks whether another node has processed a message.
INBOX_OUTCOME_POLL_MS = 200
# All media of an inbound message together; those beyond it are left out and logged.
INBOUND_MEDIA_BYTES_MAX = 20 * MEBIBYTE
# Timeout of the media that a carrier keeps, for all of one message together.
INBOUND_MEDIA_SECONDS_MAX = 60
# Attempts to read one medium that a carrier keeps.
INBOUND_MEDIUM_ATTEMPTS_MAX = 3
# Channel metadata of a message as JSON; longer ones are left out and logged.
CHANNEL_METADATA_BYTES_MAX = 16 * KIBIBYTE
# Requests to the plain incoming-message webhook of a number for one message.
INCOMING_WEBHOOK_ATTEMPTS_MAX = 3
# Interval between these requests.
INCOMING_WEBHOOK_RETRY_MS = 5_000
# Timeout of one of them.
INCOMING_WEBHOOK_SECONDS_MAX = 15
# Requests of one account to such webhooks at a time.
INCOMING_WEBHOOKS_PER_ACCOUNT_MAX = 16
