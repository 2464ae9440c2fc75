"""Units of limits."""

from __future__ import annotations

# A unit, in bytes.
KIBIBYTE = 1024
# A unit, in bytes.
MEBIBYTE = 1024 * KIBIBYTE
