"""The event that a change has caused, in the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.store.statements import statement
from parlour.vocabulary.event import Event

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

# Reads only the events since the position that was read before the change.
FIND_EVENT = statement(
    "SELECT {columns} FROM event WHERE sequence > $1 AND account_sid = $2 AND subject_sid = $3"
    " AND name = $4 ORDER BY sequence LIMIT 1",
    Event,
)


async def find_event_after(
    tx: Transaction, position: int, account_sid: str, subject_sid: str, name: str
) -> Event | None:
    """Return the first event of a subject with this name after a position in the log."""
    row = await tx.one(FIND_EVENT, position, account_sid, subject_sid, name)
    return Event(*row) if row else None
