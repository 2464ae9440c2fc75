"""Units of limits."""

from __future__ import annotations

# Bytes of a kibibyte.
KIBIBYTE = 1024
# Bytes of a mebibyte.
MEBIBYTE = 1024 * KIBIBYTE
