"""The bounds of what accounts and users share: buffered bytes, and places for requests."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# --- Buffers of the edge ----------------------------------------------------------------

# The least that the setting for the bytes of all buffers may say: a few of the largest pages.
BUFFER_BYTES_MIN = 16 * MEBIBYTE
# Of the bytes that the edge may buffer, one part in so many is for unauthenticated connections.
BUFFER_UNAUTHENTICATED_PART = 8
# How long a request waits for room in the buffers; then it is answered with 503.
BUFFER_WAIT_MS_MAX = 500
# Requests that wait for room at once; beyond it the one most over its share is answered with 503.
BUFFER_WAITERS_MAX = 256

# --- Places for requests ----------------------------------------------------------------

# An account or user that met a limit wants places for so long, when shares are worked out.
CONTENTION_MS = 1_000
# So many of them are remembered, accounts in all and members of one account.
CONTENDERS_MAX = 10_000

# --- Transfers of media -----------------------------------------------------------------

# An upload or download below this rate is ended when another one finds no place ...
TRANSFER_BYTES_PER_SECOND_CONTESTED = 256 * KIBIBYTE
# ... but not before it ran for so long; the rate is that of the last one to two such times.
TRANSFER_WINDOW_MS = 5_000

# --- Actions per second, where they are limited -----------------------------------------

# Actions per second are an average over so long: a burst of so many seconds' actions passes.
ACTIONS_WINDOW_MS = 5_000
# An account may have so many times the actions per second of one conversation or service.
ACTIONS_OF_ACCOUNT_FACTOR = 10
# Conversations and services whose actions are counted in one process; so many accounts besides.
ACTION_COUNTERS_MAX = 20_000
