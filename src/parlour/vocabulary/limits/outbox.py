"""Limits of outbound messages to carriers."""

from __future__ import annotations

from parlour.vocabulary.limits.units import MEBIBYTE

# How long a message may wait for its carrier; then its receipt is failed.
SUBMISSION_MS_MAX = 4 * 60 * 60 * 1000
# How long reports about an accepted message are recorded.
SUBMISSION_RETENTION_MS = 14 * 24 * 60 * 60 * 1000
# Ended submissions, or early reports, that are deleted in one step.
OUTBOX_DELETED_PER_STEP_MAX = 500
# Retry delay after the first transient rejection; each further one doubles it.
SUBMISSION_RETRY_MS_MIN = 1_000
# The longest retry delay that the outbox chooses itself.
SUBMISSION_RETRY_MS_MAX = 5 * 60 * 1000
# The longest retry delay that a carrier can request.
CARRIER_RETRY_AFTER_MS_MAX = 60 * 60 * 1000
# Jitter: the maximum extension of a retry delay, in percent.
SUBMISSION_JITTER_PERCENT = 20
# Submissions of one carrier in memory: waiting for a slot, in flight, or not recorded yet.
SUBMISSIONS_LOADED_MAX = 512
# The same as a multiple of the carrier's slots, for carriers with few slots.
SUBMISSIONS_LOADED_PER_SLOT_MAX = 4
# Age from which a submission in memory is read again before it is sent: the recipient may have
# opted out, or its message may have been deleted.
SUBMISSION_LOADED_MS_MAX = 2_000
# Results that are written in one transaction.
SUBMISSION_RESULTS_PER_WRITE_MAX = 64
# Accounts whose due submissions are read in one step of a carrier's loader.
OUTBOX_ACCOUNTS_PER_STEP_MAX = 32
# Fallback polling interval of the outbox.
OUTBOX_POLL_MS = 250
# Minimum interval between two reads of a carrier's queue without a free slot or a result.
OUTBOX_DEBOUNCE_MS = 10
# Backoff of an unavailable carrier before the next attempt; each further one doubles it.
CARRIER_BACKOFF_MS_MIN = 250
# The longest backoff of an unavailable carrier.
CARRIER_BACKOFF_MS_MAX = 30_000
# How long a report about an unknown identifier waits for its submission to be recorded.
EARLY_REPORT_MS = 60_000
# Early reports that one process stores within that time; further ones are logged and dropped.
EARLY_REPORTS_MAX = 10_000
# Identifiers of one submission that are recorded: more than the segments of the longest text.
PROVIDER_IDS_MAX = 64
# An identifier of a carrier, in characters; reports about longer ones are dropped.
PROVIDER_ID_CHARS_MAX = 512
# Receipts of the previous version that become submissions in one step.
UNSENT_RECEIPTS_PER_STEP_MAX = 100
# Age from which a receipt of the previous version is taken over, in case it is still sending.
UNSENT_RECEIPT_MS_MIN = 2_000
# The last error of a submission, in characters.
SUBMISSION_ERROR_CHARS_MAX = 256
# Body of a message by SMS, in characters; a longer one fails for that recipient.
SMS_BODY_CHARS_MAX = 1600
# The medium of an MMS.
MMS_BYTES_MAX = 5 * MEBIBYTE
# The medium of a WhatsApp message.
WHATSAPP_MEDIUM_BYTES_MAX = 16 * MEBIBYTE
# TTL of the URL from which a carrier reads a medium.
CARRIER_MEDIA_URL_SECONDS = 3600
# Time after a user's last message in which a WhatsApp message needs no template.
WHATSAPP_WINDOW_MS = 24 * 60 * 60 * 1000
# Interval between two measurements of the carriers' queues.
OUTBOX_METRICS_MS = 10_000
