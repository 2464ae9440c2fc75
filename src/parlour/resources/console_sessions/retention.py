"""The retention job of expired sessions and tickets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.scheduler import Job, transactional
from parlour.resources.console_sessions import store as console_session_store
from parlour.resources.console_sessions.lifecycle import IDLE_MS
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction


async def next_due_ms(tx: Transaction) -> int | None:
    """Return when the next session is idle for too long, or the next ticket expires."""
    oldest_ms = await console_session_store.oldest_use_ms(tx)
    first_ms = await console_session_store.first_ticket_end_ms(tx)
    dates = [] if oldest_ms is None else [oldest_ms + IDLE_MS]
    dates += [] if first_ms is None else [first_ms]
    return min(dates) + limits.RETENTION_SLACK_MS if dates else None


# tidy: event-for-change - no webhook shows sessions
async def step(tx: Transaction) -> None:
    """Delete a batch of expired sessions and tickets."""
    await console_session_store.delete_expired(tx, tx.now - IDLE_MS)


SESSIONS_JOB: Final = Job("console_sessions", next_due_ms, transactional(step), is_upkeep=True)
