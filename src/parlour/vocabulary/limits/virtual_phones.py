"""Virtual phones: their number, their inboxes and the bodies and media that they send."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE, MEBIBYTE

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
# Receivers of a message of a virtual phone: the other members of a group.
VIRTUAL_PHONE_RECEIVERS_MAX = 9
# Media in one message of a virtual phone.
VIRTUAL_PHONE_MEDIA_MAX = 10
# One file in an MMS from a phone.
INBOUND_MMS_FILE_BYTES_MAX = 2 * MEBIBYTE
# All files of an MMS from a phone.
INBOUND_MMS_BYTES_MAX = 5 * MEBIBYTE
# All files of a message from a phone on another channel.
INBOUND_CHANNEL_MEDIA_BYTES_MAX = 16 * MEBIBYTE
# Fields of the form of such a message, files excepted: a body in UTF-8, URLs and the receivers.
VIRTUAL_PHONE_FIELDS_BYTES_MAX = 64 * KIBIBYTE
# ProfileName of a virtual phone's message, in characters.
PROFILE_NAME_CHARS_MAX = 256
# Timeout of the download of a MediaUrl.
MEDIA_URL_FETCH_SECONDS_MAX = 30
# Messages with media that phones send at once: their files are in memory.
VIRTUAL_PHONE_MEDIA_SENDS_MAX = 4
