"""Virtual phones: their number, their inboxes and the bodies and media that they send."""

from __future__ import annotations

from parlour.vocabulary.limits.units import MEBIBYTE

# Virtual phones of an account; the one that was quiet longest is deleted for a new one.
VIRTUAL_PHONES_PER_ACCOUNT_MAX = 10_000
# Messages of a virtual phone; the oldest one is deleted for a new one.
VIRTUAL_PHONE_MESSAGES_MAX = 1000
# Bodies and media of an account's virtual phones; the oldest messages are deleted for new ones.
VIRTUAL_PHONE_BYTES_PER_ACCOUNT_MAX = 256 * MEBIBYTE
# Messages that are deleted in one transaction to make room.
VIRTUAL_PHONE_EVICTIONS_MAX = 1000
# Name of a virtual phone, in characters.
VIRTUAL_PHONE_NAME_CHARS_MAX = 64
# Delay before each delivery report of a virtual phone.
VIRTUAL_PHONE_DELAY_MS_MAX = 60_000
# Delivery reports of virtual phones that one step of the scheduler passes on.
VIRTUAL_PHONE_REPORTS_PER_STEP_MAX = 64
# Submissions to virtual phones that are in flight.
VIRTUAL_CARRIER_CONCURRENCY = 64
