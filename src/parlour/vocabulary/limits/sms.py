"""Limits of SMS, and of links to short message centres (SMPP)."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE

# Septets of a text in GSM-7 that is a single segment.
SMS_SEPTETS_MAX = 160
# Septets of one of several segments, next to the header by which phones join them.
SMS_SEPTETS_PER_PART_MAX = 153
# 16-bit units of a text in UCS-2 that is a single segment.
SMS_UTF16_UNITS_MAX = 70
# 16-bit units of one of several segments.
SMS_UTF16_UNITS_PER_PART_MAX = 67

# --- SMPP -------------------------------------------------------------------------------

# Digits of a short code; longer numbers are international.
SHORT_CODE_DIGITS_MAX = 6
# Address in a submit_sm, in characters.
SMPP_ADDRESS_CHARS_MAX = 20
# Address in an inbound PDU, in characters: optional parameters of SMPP 5.0 allow as many.
SMPP_INBOUND_ADDRESS_CHARS_MAX = 65
# Content of a submit_sm: 160 unpacked septets fit, 140 octets on the air.
SMPP_CONTENT_BYTES_MAX = 254
# Parts of one message: their number has an octet.
SMPP_PARTS_MAX = 255
# Digits of a message identifier that is read as a number; a longer one is a text.
SMPP_ID_DIGITS_MAX = 64
# System identifier of a bind, in characters.
SMPP_SYSTEM_ID_CHARS_MAX = 15
# Password of a bind, in characters.
SMPP_PASSWORD_CHARS_MAX = 8
# System type of a bind, in characters.
SMPP_SYSTEM_TYPE_CHARS_MAX = 12
# Service type of a submit_sm, in characters.
SMPP_SERVICE_TYPE_CHARS_MAX = 5
# Longest PDU that is read: one with a message_payload of 64 KiB; a longer one ends the link.
SMPP_PDU_BYTES_MAX = 72 * KIBIBYTE
# Links of one carrier.
SMPP_LINKS_MAX = 32
# Largest window of a link: submissions without a response.
SMPP_WINDOW_MAX = 1000
# Highest rate of submissions of one link that can be configured.
SMPP_MESSAGES_PER_SECOND_MAX = 100_000
# Longest timeout of a link that can be configured.
SMPP_SECONDS_MAX = 3600
# Longest validity period of a message that can be configured, in minutes: 30 days.
SMPP_VALIDITY_MINUTES_MAX = 30 * 24 * 60
# Inbound PDUs of one link that are processed concurrently; beyond it nothing is read from it.
SMPP_DELIVERIES_AT_ONCE = 64
# Connect timeout of a link, DNS and TLS included.
SMPP_CONNECT_SECONDS_MAX = 10
# Delay before a link is opened again; it doubles after each failure.
SMPP_RECONNECT_SECONDS_MIN = 1
# Longest delay before a link is opened again.
SMPP_RECONNECT_SECONDS_MAX = 60
# Delay of a link's submissions after the SMSC throttled it, and earliest retry of the message.
SMPP_THROTTLED_SECONDS = 1
# Earliest retry of a message after a temporary error of the SMSC.
SMPP_ERROR_SECONDS = 10
# How long a stop waits for responses and for inbound messages in progress, before it unbinds.
SMPP_DRAIN_SECONDS_MAX = 5
# How long a stop waits for the response to its unbind.
SMPP_UNBIND_SECONDS_MAX = 2
# Parts of incomplete inbound messages in memory, over all links of a carrier; further ones get a
# temporary error.
SMS_PARTS_HELD_MAX = 10_000
# Joined messages whose late parts are recognised.
SMS_JOINED_KNOWN_MAX = 10_000
# Inbound messages without an acknowledgement whose redelivery is recognised, over all links of a
# carrier; the redelivery of an older one is a duplicate.
SMS_REDELIVERIES_KNOWN_MAX = 100_000
# How long after the first inbound message since the start of a carrier a message is the redelivery
# of one with the same content that a previous process stored and did not acknowledge.
SMS_REDELIVERY_SECONDS = 600
# Longest time that the parts of an incomplete message stay in memory.
SMS_JOIN_SECONDS_MAX = 24 * 60 * 60
