"""Limits of the e-mail carrier."""

from __future__ import annotations

from parlour.vocabulary.limits.units import KIBIBYTE

# Local part of an address, in octets (RFC 5321, 4.5.3.1.1).
EMAIL_LOCAL_PART_CHARS_MAX = 64
# Message-IDs in References and In-Reply-To of one mail, the last ones.
EMAIL_REFERENCES_MAX = 50
# Characters at the end of the header References that are read: all of those, at 1000 each.
EMAIL_REFERENCES_CHARS_MAX = 50 * KIBIBYTE
