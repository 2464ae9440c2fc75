"""Reads of the queues and of the media of all accounts, each of bounded work."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from parlour.vocabulary import limits
from parlour.vocabulary.bounded_count import BoundedCount, bounded_count

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction


class LeaseRow(NamedTuple):
    """A lease of PostgreSQL."""

    name: str
    owner: str
    expires_ms: int


class Removal(NamedTuple):
    """A deleted object whose rows are deleted in the background."""

    account_sid: str
    kind: str
    owner_sid: str


class DatedCount(msgspec.Struct, frozen=True):
    """A bounded count, and the date of the oldest of the rows."""

    count: BoundedCount
    oldest_ms: int | None


class FileSum(msgspec.Struct, frozen=True):
    """A number of media and their bytes, and the date of the oldest; bounded like a count."""

    count: int
    bytes: int
    at_least: bool
    oldest_ms: int | None = None


# tidy: account-in-sql - for operators, over all accounts
COUNT_QUEUED = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM submission WHERE carrier = $1 AND state = 'queued' LIMIT $2) AS found
"""
# tidy: account-in-sql - as above
COUNT_INBOX = """
SELECT COUNT(*), MIN(date_created) FROM (
    SELECT date_created FROM inbox WHERE due_ms IS NOT NULL ORDER BY due_ms LIMIT $1) AS found
"""
# tidy: account-in-sql - as above
LIST_REMOVALS = "SELECT account_sid, kind, owner_sid FROM purge ORDER BY sequence LIMIT $1"
LIST_LEASES = "SELECT name, owner, expires_ms FROM lease ORDER BY name LIMIT $1"
# tidy: account-in-sql - as above
ACCOUNT_WITH_MEDIA = """
SELECT account_sid FROM media WHERE account_sid > $1 ORDER BY account_sid LIMIT 1
"""
# tidy: account-in-sql - as above
SUM_UNATTACHED = """
SELECT COUNT(*), COALESCE(SUM(size), 0), MIN(date_created) FROM (
    SELECT size, date_created FROM media WHERE message_sid IS NULL AND is_removed = 0
     ORDER BY date_created LIMIT $1) AS found
"""
# tidy: account-in-sql - as above
SUM_REMOVED = """
SELECT COUNT(*), COALESCE(SUM(size), 0) FROM (
    SELECT size FROM media WHERE is_removed = 1 ORDER BY sid LIMIT $1) AS found
"""


LAST_BACKUP = "SELECT MAX(made) FROM last_backup"
FORGET_BACKUP = "DELETE FROM last_backup"
RECORD_BACKUP = "INSERT INTO last_backup (made) VALUES ($1)"


# tidy: scope-first - a backup is of all accounts
async def last_backup_ms(tx: Transaction) -> int | None:
    """Return when the last backup was made; None if none was recorded."""
    row = await tx.one(LAST_BACKUP)
    return None if row is None else row[0]


# tidy: scope-first - as above
async def record_backup(tx: Transaction) -> None:
    """Record that a backup was made now."""
    await tx.run(FORGET_BACKUP)
    await tx.run(RECORD_BACKUP, tx.now)


# tidy: scope-first - for operators, over all accounts
async def count_queued(tx: Transaction, carrier: str) -> BoundedCount:
    """Return the number of messages that wait for a carrier."""
    most = limits.DELIVERIES_COUNTED_MAX
    row = await tx.one(COUNT_QUEUED, carrier, most + 1)
    assert row is not None
    return bounded_count(row[0], most)


# tidy: scope-first - as above
async def count_inbox(tx: Transaction) -> DatedCount:
    """Return the number of inbound messages that wait."""
    most = limits.DELIVERIES_COUNTED_MAX
    row = await tx.one(COUNT_INBOX, most + 1)
    assert row is not None
    return DatedCount(bounded_count(row[0], most), row[1])


# tidy: scope-first - as above
async def list_removals(tx: Transaction, count: int) -> list[Removal]:
    """Return the next objects whose rows are deleted in the background."""
    return [Removal(*row) for row in await tx.all(LIST_REMOVALS, count)]


# tidy: scope-first - leases belong to no account
async def list_leases(tx: Transaction) -> list[LeaseRow]:
    """Return the leases; none with SQLite."""
    return [LeaseRow(*row) for row in await tx.all(LIST_LEASES, limits.LEASES_SHOWN_MAX)]


# tidy: scope-first - as above
async def accounts_with_media(tx: Transaction, count: int) -> list[str]:
    """Return the first accounts with media, by SID."""
    found: list[str] = []
    while len(found) < count:
        # A loose index scan, one seek for each account.
        row = await tx.one(ACCOUNT_WITH_MEDIA, found[-1] if found else "")
        if row is None:
            break
        found.append(row[0])
    return found


# tidy: scope-first - as above
async def sum_unattached(tx: Transaction) -> FileSum:
    """Return the media that no message has yet."""
    row = await tx.one(SUM_UNATTACHED, limits.MEDIA_COUNTED_MAX)
    assert row is not None
    return FileSum(int(row[0]), int(row[1]), row[0] >= limits.MEDIA_COUNTED_MAX, row[2])


# tidy: scope-first - as above
async def sum_removed(tx: Transaction) -> FileSum:
    """Return the removed media whose files are not deleted yet."""
    row = await tx.one(SUM_REMOVED, limits.MEDIA_COUNTED_MAX)
    assert row is not None
    return FileSum(int(row[0]), int(row[1]), row[0] >= limits.MEDIA_COUNTED_MAX)
