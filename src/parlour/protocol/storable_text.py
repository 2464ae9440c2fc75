"""Texts from other systems, as databases store them."""

from __future__ import annotations


def storable(text: str) -> str:
    """Return a text without NUL, which PostgreSQL rejects, and without lone surrogates.

    UTF-8 has none of those: each becomes a question mark.
    """
    return text.replace("\0", "").encode("utf-8", "replace").decode()
