"""Limits of SMS, and of links to short message centres (SMPP)."""

from __future__ import annotations

# Septets of a text in GSM-7 that is a single segment.
SMS_SEPTETS_MAX = 160
# Septets of one of several segments, next to the header by which phones join them.
SMS_SEPTETS_PER_PART_MAX = 153
# 16-bit units of a text in UCS-2 that is a single segment.
SMS_UTF16_UNITS_MAX = 70
# 16-bit units of one of several segments.
SMS_UTF16_UNITS_PER_PART_MAX = 67
