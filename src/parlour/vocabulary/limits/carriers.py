"""Limits of the carriers file and of callbacks from carriers."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# Size of the carriers file.
CARRIERS_FILE_BYTES_MAX = 4 * MEBIBYTE
# Nesting of a value in the carriers file: tables, arrays and parts of dotted keys.
CARRIERS_FILE_DEPTH_MAX = 32
# Size of a file that a value of the carriers file refers to, and of its value.
CARRIER_SECRET_BYTES_MAX = 64 * KIBIBYTE
# Carriers of the carriers file.
CARRIERS_MAX = 100
# Routes of the carriers file.
CARRIER_ROUTES_MAX = 10_000
# Routes of the carriers file by a prefix: the search for the longest one reads all of them.
CARRIER_PREFIX_ROUTES_MAX = 500
# Numbers of the carriers file.
CARRIER_NUMBERS_MAX = 10_000
# Errors in the carriers file that a start reports.
CARRIERS_FILE_ERRORS_MAX = 20
# Words of one list of opt-out words.
OPT_OUT_WORDS_MAX = 50
# Length of an opt-out word.
OPT_OUT_WORD_CHARS_MAX = 32
# Length of an automatic answer to an opt-out word.
OPT_OUT_TEXT_CHARS_MAX = 1600
# Callbacks of one carrier that are verified or stored concurrently; beyond it 503.
CARRIER_CALLBACKS_RUNNING_MAX = 64
# Maximum delay of the 403 of a wrong signature, once its address has failed as often with this
# carrier as LOGIN_FAILURES_MAX; less than SLOW_REQUEST_SECONDS, from which requests are logged.
CALLBACK_REFUSAL_DELAY_MS_MAX = 900
# Cells in each of the two rows of the count-min sketch of wrong signatures; eight bytes each.
CALLBACK_FAILURE_CELLS = 8_192
# Refused callbacks of one carrier with one status that are logged within
# CALLBACK_REFUSAL_LOG_MS; further ones are counted in the next line.
CALLBACK_REFUSALS_LOGGED_MAX = 10
# Window of that number.
CALLBACK_REFUSAL_LOG_MS = 60_000
# How long the doctor waits for the links of one carrier.
CARRIER_CHECK_SECONDS_MAX = 20
# Interval at which `parlour carriers test` reads the receipt.
CARRIER_TEST_POLL_MS = 200
