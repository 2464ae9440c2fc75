"""Limits of the faults and the emulation of test mode."""

from __future__ import annotations

# Faults of an account, spent ones included; beyond it 409.
FAULTS_PER_ACCOUNT_MAX = 1000
# Name of a fault, in characters: it is the value of a header.
FAULT_NAME_CHARS_MAX = 64
# Operations of one fault.
FAULT_OPERATIONS_MAX = 100
# Values that a fault matches: a path, a URL, an identity, in characters.
FAULT_TEXT_CHARS_MAX = 2048
# Skip and Times of a fault.
FAULT_TURNS_MAX = 1_000_000
# DelayMs and HoldMs of a fault.
FAULT_DELAY_MS_MAX = 60_000
# Requests that faults and the emulated latency delay at once; further ones are not delayed.
FAULT_DELAYS_MAX = 1000
# Bytes of the frames that HoldMs holds for one connection; beyond it they are sent.
FAULT_HELD_BYTES_MAX = 1024 * 1024
# RetryAfter of a fault.
FAULT_RETRY_AFTER_SECONDS_MAX = 86_400
# Truncate of a fault.
FAULT_TRUNCATE_BYTES_MAX = 1_000_000_000
# Duplicate of a fault: further requests of one delivery.
FAULT_DUPLICATES_MAX = 100
# ActionsPerSecond of an emulation.
EMULATED_ACTIONS_PER_SECOND_MAX = 1_000_000
# LatencyMs of an emulation.
EMULATED_LATENCY_MS_MAX = 5000
