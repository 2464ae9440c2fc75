"""Limits of carriers that are called over HTTP: an HTTP provider, Kannel."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# Timeout of one request to a carrier's HTTP API; beyond it the submission is retried.
CARRIER_REQUEST_MS_MAX = 15_000
# Response of a carrier's HTTP API, in bytes; the rest of a longer one is not read.
CARRIER_RESPONSE_BYTES_MAX = 64 * KIBIBYTE
# Delay before a retry that the carrier demands without a time, and after rejected credentials.
CARRIER_RETRY_SECONDS = 30
# Longest delay that a carrier's `Retry-After` may demand; a longer one is shortened.
CARRIER_RETRY_SECONDS_MAX = 3600
# Characters of a carrier's reason for the log; the rest is cut off.
CARRIER_DETAIL_CHARS_MAX = 300
# Timeout of the download of one inbound medium; beyond it the medium is retried.
CARRIER_MEDIUM_MS_MAX = 60_000
# Redirects followed while a medium is downloaded; beyond it the download fails.
CARRIER_REDIRECTS_MAX = 3
# One inbound medium, in bytes; a larger one is not stored.
INBOUND_MEDIA_BYTES_MAX = 20 * MEBIBYTE
# Characters of the token that authenticates callbacks; a shorter one is rejected at start.
CALLBACK_TOKEN_CHARS_MIN = 16
# Concurrent submissions to one HTTP carrier; a higher number is rejected at start.
CARRIER_CONCURRENCY_MAX = 100
# Concurrent requests of one account to the API of a carrier: all submissions, and as many downloads
# of media. Further ones wait.
CARRIER_REQUESTS_PER_TARGET_MAX = 2 * CARRIER_CONCURRENCY_MAX
