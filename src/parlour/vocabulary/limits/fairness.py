"""Limits of what accounts and users share: buffered bytes and request slots."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

# --- Buffers of the edge ----------------------------------------------------------------

# Minimum of the setting for the buffer pool: a few of the largest pages.
BUFFER_BYTES_MIN = 16 * MEBIBYTE
# Divisor: the part of the buffer pool that is for unauthenticated connections.
BUFFER_UNAUTHENTICATED_PART = 8
# How long a request waits for space in the buffer pool; beyond it 503.
BUFFER_WAIT_MS_MAX = 500
# Queue for space in the buffer pool; beyond it the request most above its share gets 503.
BUFFER_WAITERS_MAX = 256

# --- Request slots ----------------------------------------------------------------

# How long an account or user that hit a limit counts as contending when shares are computed.
CONTENTION_MS = 1_000
# Contending accounts, and contending members of one account, in memory.
CONTENDERS_MAX = 10_000

# --- Transfers of media -----------------------------------------------------------------

# Rate below which an upload or download is aborted when another one finds no slot.
TRANSFER_BYTES_PER_SECOND_CONTESTED = 256 * KIBIBYTE
# Window over which that rate is measured; a transfer is not aborted in its first window.
TRANSFER_WINDOW_MS = 5_000

# --- Actions per second -----------------------------------------

# Window over which actions per second are averaged, so that short bursts pass.
ACTIONS_WINDOW_MS = 5_000
# Multiple of the actions per second of one conversation or service that an account may have.
ACTIONS_OF_ACCOUNT_FACTOR = 10
# Conversations and services whose actions one process counts, and the same number of accounts.
ACTION_COUNTERS_MAX = 20_000
