"""The retention job of the audit log: lines of a year, and a bounded number of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.scheduler import Job, transactional
from parlour.resources.console_audit import store as console_audit_store
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

_KEPT_MS: Final = limits.CONSOLE_AUDIT_DAYS * 24 * 60 * 60 * 1000


async def next_due_ms(tx: Transaction) -> int | None:
    """Return when the oldest line expires: at once if the log has too many lines."""
    oldest_ms = await console_audit_store.oldest_line_ms(tx)
    if oldest_ms is None:
        return None
    if await console_audit_store.excess_number(tx) is not None:
        return oldest_ms
    return oldest_ms + _KEPT_MS + limits.RETENTION_SLACK_MS


# tidy: event-for-change - no resource and no webhook shows the log
async def step(tx: Transaction) -> None:
    """Delete a batch of old lines."""
    await console_audit_store.delete_old(tx, tx.now - _KEPT_MS)


AUDIT_JOB: Final = Job("console_audit", next_due_ms, transactional(step), is_upkeep=True)
