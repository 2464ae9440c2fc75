"""The retention job of the inbox: old rows of messages, and old WhatsApp windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parlour.operations.scheduler import Job, transactional
from parlour.resources.inbox import store as inbox_store
from parlour.resources.inbox import unacknowledged_store as inbox_unacknowledged_store
from parlour.resources.whatsapp_windows import store as whatsapp_window_store
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction

_HOUR_MS: Final = 60 * 60 * 1000
_DONE_KEPT_MS: Final = limits.INBOX_RETENTION_HOURS * _HOUR_MS
_UNACKNOWLEDGED_KEPT_MS: Final = limits.INBOX_UNACKNOWLEDGED_HOURS * _HOUR_MS
_WINDOW_KEPT_MS: Final = limits.WHATSAPP_WINDOW_RETENTION_HOURS * _HOUR_MS


async def next_due_ms(tx: Transaction) -> int | None:
    """Return when the oldest row expires. The slack batches deletions."""
    dates = [
        (await inbox_store.oldest_done_ms(tx), _DONE_KEPT_MS),
        (await inbox_unacknowledged_store.oldest_unacknowledged_ms(tx), _UNACKNOWLEDGED_KEPT_MS),
        (await whatsapp_window_store.oldest_window_ms(tx), _WINDOW_KEPT_MS),
    ]
    expiries = [date_ms + kept_ms for date_ms, kept_ms in dates if date_ms is not None]
    return min(expiries) + limits.RETENTION_SLACK_MS if expiries else None


# tidy: event-for-change - no resource and no webhook shows these rows
async def step(tx: Transaction) -> None:
    """Delete a batch of expired rows."""
    await inbox_store.delete_done(tx, tx.now - _DONE_KEPT_MS)
    await inbox_unacknowledged_store.delete_unacknowledged(tx, tx.now - _UNACKNOWLEDGED_KEPT_MS)
    await whatsapp_window_store.delete_windows(tx, tx.now - _WINDOW_KEPT_MS)


RETENTION_JOB: Final = Job("inbox_retention", next_due_ms, transactional(step), is_upkeep=True)
