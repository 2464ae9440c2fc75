"""Rows of WhatsApp windows: the last inbound message of each user to each sender.

They do not depend on a conversation, so that a window survives its end. A row whose window ended
long ago means the same as no row, and is deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

FIND_WINDOW = """
SELECT last_inbound_ms FROM whatsapp_window
 WHERE account_sid = $1 AND sender = $2 AND address = $3
"""
OPEN_WINDOW = """
INSERT INTO whatsapp_window (account_sid, sender, address, last_inbound_ms)
VALUES ($1, $2, $3, $4)
ON CONFLICT (account_sid, sender, address) DO UPDATE SET last_inbound_ms =
    CASE WHEN whatsapp_window.last_inbound_ms > excluded.last_inbound_ms
         THEN whatsapp_window.last_inbound_ms ELSE excluded.last_inbound_ms END
"""
# tidy: account-in-sql - old windows are deleted for all accounts
OLDEST_WINDOW = "SELECT last_inbound_ms FROM whatsapp_window ORDER BY last_inbound_ms LIMIT 1"
# tidy: account-in-sql - as above
EXPIRE_WINDOWS = """
DELETE FROM whatsapp_window WHERE (account_sid, sender, address) IN (
    SELECT account_sid, sender, address FROM whatsapp_window
     WHERE last_inbound_ms < $1 ORDER BY last_inbound_ms LIMIT $2)
"""


async def last_inbound_ms(tx: Transaction, scope: Scope, sender: str, address: str) -> int | None:
    """Return when the user last wrote to the sender; None if the window has ended in any case."""
    row = await tx.one(FIND_WINDOW, scope.account_sid, sender, address)
    return int(row[0]) if row else None


async def open_window(
    tx: Transaction, scope: Scope, sender: str, address: str, inbound_ms: int
) -> None:
    """Record an inbound message of the user to the sender; an older one changes nothing."""
    await tx.run(OPEN_WINDOW, scope.account_sid, sender, address, inbound_ms)


# tidy: scope-first - old windows are deleted for all accounts
async def oldest_window_ms(tx: Transaction) -> int | None:
    """Return the date of the oldest window."""
    row = await tx.one(OLDEST_WINDOW)
    return int(row[0]) if row else None


# tidy: scope-first - as above
async def delete_windows(tx: Transaction, before_ms: int) -> None:
    """Delete a batch of windows whose last inbound message is older than a date."""
    await tx.run(EXPIRE_WINDOWS, before_ms, limits.INBOX_EXPIRED_PER_STEP_MAX)
