"""Queries that find the conversation of an inbound message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.media.store import Media
from parlour.resources.participants.store import Participant
from parlour.store.statements import statement
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

FIND_PAIR = statement(
    "SELECT {columns} FROM participant"
    " WHERE account_sid = $1 AND address = $2 AND proxy_address = $3 AND holds_pair = 1",
    Participant,
)
FIND_RESERVATION = """
SELECT conversation_sid FROM pending_pair
 WHERE account_sid = $1 AND address = $2 AND proxy_address = $3
"""
FIND_SERVICE_OF = """
SELECT here.service_sid FROM (
    SELECT service_sid FROM conversation WHERE account_sid = $1 AND sid = $2 LIMIT 1) AS here
  JOIN service ON service.account_sid = $1 AND service.sid = here.service_sid
"""
LIST_OPEN_OF_ADDRESS = statement(
    "SELECT {columns} FROM participant WHERE account_sid = $1 AND address = $2 AND is_open = 1"
    " LIMIT $3",
    Participant,
)
FIND_MEDIA = statement(
    "SELECT {columns} FROM media WHERE account_sid = $1 AND sid = $2 AND is_removed = 0", Media
)
ADOPT_MEDIA = """
UPDATE media SET service_sid = $3
 WHERE account_sid = $1 AND sid = $2 AND message_sid IS NULL AND is_removed = 0
"""

POSTPONE_EXPIRY = """
UPDATE media SET date_created = $3
 WHERE account_sid = $1 AND sid = $2 AND message_sid IS NULL AND is_removed = 0
"""


async def find_pair(
    tx: Transaction, scope: Scope, address: str, proxy_address: str
) -> Participant | None:
    """Return the participant that holds a pair, in any service of the account."""
    row = await tx.one(FIND_PAIR, scope.account_sid, address, proxy_address)
    return Participant(*row) if row else None


async def find_reservation(
    tx: Transaction, scope: Scope, address: str, proxy_address: str
) -> str | None:
    """Return the initializing conversation that reserved a pair."""
    row = await tx.one(FIND_RESERVATION, scope.account_sid, address, proxy_address)
    return row[0] if row else None


async def find_service_of(tx: Transaction, scope: Scope, conversation_sid: str) -> str | None:
    """Return the service of a conversation; None if either does not exist."""
    row = await tx.one(FIND_SERVICE_OF, scope.account_sid, conversation_sid)
    return row[0] if row else None


async def list_open_participants(tx: Transaction, scope: Scope, address: str) -> list[Participant]:
    """Return the participants with this address in open conversations, up to a number."""
    count = limits.OPEN_MAIL_THREADS_MAX
    rows = await tx.all(LIST_OPEN_OF_ADDRESS, scope.account_sid, address, count)
    return [Participant(*row) for row in rows]


async def find_inbound_medium(tx: Transaction, scope: Scope, sid: str) -> Media | None:
    """Return a medium in any service of the account."""
    row = await tx.one(FIND_MEDIA, scope.account_sid, sid)
    return Media(*row) if row else None


async def adopt_medium(tx: Transaction, scope: Scope, sid: str) -> None:
    """Move an inbound medium, which belongs to no service yet, to the service of its message."""
    await tx.run(ADOPT_MEDIA, scope.account_sid, sid, scope.service_sid)


async def postpone_expiry(tx: Transaction, scope: Scope, sid: str, until_ms: int) -> None:
    """Keep a medium without a message until a date: it expires by the date of its upload."""
    created_ms = until_ms - limits.MEDIA_UNATTACHED_MS
    await tx.run(POSTPONE_EXPIRY, scope.account_sid, sid, created_ms)
