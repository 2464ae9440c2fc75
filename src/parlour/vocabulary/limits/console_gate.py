"""Limits of the gate of the console."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE

# Concurrent requests through the console, apart from requests of the API; beyond it 429.
CONSOLE_REQUESTS_MAX = 32
# Interval at which an event stream checks whether its session of the console is still live.
CONSOLE_STREAM_CHECK_SECONDS = 2
# Moments at which event streams of sessions are read; those at the same position share a read.
CONSOLE_STREAM_READS_PER_SECOND = 10
# Events that each stream of a session gets at such a moment.
CONSOLE_EVENTS_PER_STREAM_READ = 100
# Unknown session tokens of one address within a minute; then 429 for a minute, without a lookup.
CONSOLE_UNKNOWN_TOKENS_MAX = 60
# Tokens of live sessions whose lookups are never refused, by process.
CONSOLE_FOUND_TOKENS_MAX = 10_000
# Request body of a sign-in to the console.
SIGN_IN_BYTES_MAX = 4 * KIBIBYTE
# Failed sign-ins within a minute of one address under one name; then 429 for a minute.
SIGN_IN_FAILURES_MAX = 5
# Failed sign-ins within a minute of one address under any names; then 429 for a minute.
SIGN_IN_FAILURES_OF_ADDRESS_MAX = 30
# The period in which failed sign-ins are counted, and for which further ones are refused.
SIGN_IN_FAILURES_SECONDS = 60
# Addresses, and pairs of address and name, whose failed sign-ins are counted.
SIGN_IN_ENTRIES_MAX = 10_000
