"""Every error code of the API, as tables of status, message and condition.

The error reference is generated from these tables, so each code has one description of its
condition. Status 0 marks codes that are never a response.
"""

from __future__ import annotations

from parlour.vocabulary.error_catalogue import (
    connections,
    conversations,
    delivery,
    generic,
    messages,
    participants,
    services,
)
from parlour.vocabulary.error_catalogue.entry import LOG_ONLY, Entry, read_table

_TABLES = (
    generic.TABLE,
    services.TABLE,
    conversations.TABLE,
    participants.TABLE,
    messages.TABLE,
    connections.TABLE,
    delivery.TABLE,
)

CATALOGUE: dict[int, Entry] = {
    entry.code: entry for table in _TABLES for entry in read_table(table)
}
"""The entry of every known code."""

__all__ = ["CATALOGUE", "LOG_ONLY", "Entry"]
