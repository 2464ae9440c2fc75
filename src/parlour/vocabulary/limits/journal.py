"""The journal of requests: /parlour/v1/Requests, in the memory of each process."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# Requests in the journal of a process, without forms and responses.
JOURNAL_REQUESTS_MAX = 1_000
# Requests in the journal in test mode, with forms and responses.
JOURNAL_TEST_REQUESTS_MAX = 10_000
# Memory of the journal in test mode; the oldest requests are removed beyond it.
JOURNAL_TEST_BYTES_MAX = 32 * MEBIBYTE
# Bytes of a response in the journal; the remainder is cut.
JOURNAL_ANSWER_BYTES_MAX = 16 * KIBIBYTE
# Characters of a value of a form in the journal; the remainder is cut.
JOURNAL_VALUE_CHARS_MAX = 16 * KIBIBYTE
# Values of a form in the journal; further ones are left out.
JOURNAL_VALUES_MAX = 200
# Memory of a request in the journal in addition to its texts.
JOURNAL_REQUEST_BYTES = KIBIBYTE
