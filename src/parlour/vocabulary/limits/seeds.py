"""Seeds: documents that fill an account with data."""

from __future__ import annotations

from parlour.vocabulary.limits.units import MEBIBYTE

# A document, in JSON or YAML.
SEED_BYTES_MAX = 5 * MEBIBYTE
# Objects of a document: services, roles, users, addresses, phones, conversations and their parts.
SEED_OBJECTS_MAX = 20_000
# Nested objects and lists of a document, attributes included.
SEED_DEPTH_MAX = 64
