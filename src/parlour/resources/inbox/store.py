"""Rows of the inbox: the inbound messages of carriers.

A row is inserted before the carrier acknowledges the message to its network. Messages of one lane
(a binding, or the numbers of a group) are processed in the order of their rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from parlour.store.statements import insert, statement, values_of
from parlour.store.table import ChildTable
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

# The states of a row.
#
# state    content  due_ms                                     next
# -------  -------  -----------------------------------------  ---------------------------------
# pending  yes      end of the claim of the node that          webhook, done; pending again
#                   processes it, or time of the next attempt  after a transient failure
# webhook  yes      the same for the plain webhook of the      done; webhook again after a
#                   number; the outcome is known               failed attempt
# done     no (1)   none                                       deleted after INBOX_RETENTION_HOURS
#
# (1) A message that the server could not process keeps it: a replay makes it pending again.
PENDING: Final = "pending"
WEBHOOK: Final = "webhook"
DONE: Final = "done"


class InboundKey(NamedTuple):
    """What identifies an inbound message: the identifier is unique for its carrier."""

    account_sid: str
    carrier: str
    provider_id: str


class InboxEntry(msgspec.Struct, frozen=True):
    """One inbound message. Dates in milliseconds since 1970 UTC.

    ``content`` is an `InboxMessage` in JSON. ``fold_key`` is set for a message of a group: its
    copies at other own numbers have the same. ``outcome`` is None while the state is pending.
    ``is_keyword_applied``: an opt-out word in it is applied, and is not applied by a replay.
    """

    account_sid: str
    carrier: str
    provider_id: str
    sequence: int
    lane: str
    receiver: str
    channel_message_sid: str
    state: str
    content: str | None
    due_ms: int | None
    attempts: int
    fold_key: str | None
    is_copy: int
    outcome: str | None
    reason: str | None
    conversation_sid: str | None
    message_sid: str | None
    participant_sid: str | None
    date_created: int
    date_updated: int
    date_replayed: int | None = None
    is_keyword_applied: int = 0

    @property
    def key(self) -> InboundKey:
        """The identity of the message."""
        return InboundKey(self.account_sid, self.carrier, self.provider_id)

    @property
    def is_given_up(self) -> bool:
        """Whether the server could not process the message."""
        return self.state == DONE and self.content is not None


class InboxSize(NamedTuple):
    """The messages that wait, and the age of the oldest in milliseconds."""

    waiting: int
    oldest_ms: int


class DueLane(NamedTuple):
    """A lane with a message that is due."""

    account_sid: str
    lane: str


TABLE = ChildTable("inbox", InboxEntry, key=("account_sid", "carrier", "provider_id"))
find_entry = TABLE.finder()
lock_entry = TABLE.finder("FOR UPDATE")
update_entry = TABLE.changes_updater("due_ms", "attempts", "date_updated")
# A redelivery inserts nothing.
INSERT = insert("inbox", InboxEntry) + " ON CONFLICT DO NOTHING"
CLAIM = """
UPDATE inbox SET due_ms = $4
 WHERE account_sid = $1 AND carrier = $2 AND provider_id = $3 AND due_ms = $5
"""
BACKLOG = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM inbox WHERE account_sid = $1 AND due_ms IS NOT NULL LIMIT $2) AS waiting
"""
FIRST_OF_LANE = statement(
    "SELECT {columns} FROM inbox WHERE account_sid = $1 AND lane = $2 AND state = 'pending'"
    " ORDER BY sequence LIMIT 1",
    InboxEntry,
)
LIST_COPIES = statement(
    "SELECT {columns} FROM inbox WHERE account_sid = $1 AND fold_key = $2 AND sequence < $3"
    " AND date_created >= $4 AND date_created <= $5 ORDER BY sequence LIMIT $6",
    InboxEntry,
)
# tidy: account-in-sql - messages are processed for all accounts
NEXT_DUE = "SELECT due_ms FROM inbox WHERE due_ms IS NOT NULL ORDER BY due_ms LIMIT 1"
LIST_DUE = statement(
    # tidy: account-in-sql - as above
    "SELECT {columns} FROM inbox WHERE due_ms <= $1 ORDER BY due_ms LIMIT $2",
    InboxEntry,
)
# tidy: account-in-sql - a metric of the whole server
MEASURE = "SELECT COUNT(*), MIN(date_created) FROM inbox WHERE due_ms IS NOT NULL"
# tidy: account-in-sql - as above
RELEASE_CLAIMS = "UPDATE inbox SET due_ms = $1 WHERE due_ms > $1"
# tidy: account-in-sql - old rows are deleted for all accounts
OLDEST_DONE = "SELECT date_updated FROM inbox WHERE due_ms IS NULL ORDER BY date_updated LIMIT 1"
# tidy: account-in-sql - as above
EXPIRE = """
DELETE FROM inbox WHERE (account_sid, carrier, provider_id) IN (
    SELECT account_sid, carrier, provider_id FROM inbox
     WHERE due_ms IS NULL AND date_updated < $1 ORDER BY date_updated LIMIT $2)
"""


async def insert_entry(tx: Transaction, scope: Scope, entry: InboxEntry) -> bool:
    """Insert a message; return False if it exists already."""
    assert entry.account_sid == scope.account_sid
    return bool(await tx.run(INSERT, *values_of(entry)))


async def claim_entry(
    tx: Transaction, scope: Scope, key: InboundKey, *, due_ms: int | None, until_ms: int
) -> bool:
    """Claim a message that is due until a date; return False if another node was first."""
    assert key.account_sid == scope.account_sid
    return bool(await tx.run(CLAIM, *key, until_ms, due_ms))


async def count_backlog(tx: Transaction, scope: Scope, most: int) -> int:
    """Return how many messages of the account wait, up to a number."""
    row = await tx.one(BACKLOG, scope.account_sid, most)
    assert row is not None
    return int(row[0])


async def backlog_is_full(tx: Transaction, scope: Scope) -> bool:
    """Return whether INBOX_BACKLOG_MAX messages of the account wait."""
    most = limits.INBOX_BACKLOG_MAX
    return await count_backlog(tx, scope, most) >= most


async def find_first_of_lane(tx: Transaction, scope: Scope, lane: str) -> InboxEntry | None:
    """Return the oldest pending message of a lane."""
    row = await tx.one(FIRST_OF_LANE, scope.account_sid, lane)
    return InboxEntry(*row) if row else None


async def list_earlier_copies(
    tx: Transaction, scope: Scope, entry: InboxEntry, dates: tuple[int, int]
) -> list[InboxEntry]:
    """Return earlier messages with the same fold key between two dates, oldest first."""
    rows = await tx.all(
        LIST_COPIES,
        scope.account_sid,
        entry.fold_key,
        entry.sequence,
        *dates,
        limits.GROUP_COPIES_MAX,
    )
    return [InboxEntry(*row) for row in rows]


# tidy: scope-first - messages are processed for all accounts
async def next_due_ms(tx: Transaction) -> int | None:
    """Return when the next message is due, of any account."""
    row = await tx.one(NEXT_DUE)
    return int(row[0]) if row else None


# tidy: scope-first - as above
async def list_due(tx: Transaction) -> list[InboxEntry]:
    """Return messages that are due, of any account: at most INBOX_SWEPT_PER_STEP_MAX."""
    rows = await tx.all(LIST_DUE, tx.now, limits.INBOX_SWEPT_PER_STEP_MAX)
    return [InboxEntry(*row) for row in rows]


# tidy: scope-first - as above
async def measure(tx: Transaction) -> InboxSize:
    """Return how many messages of all accounts wait to be processed, or for a plain webhook."""
    row = await tx.one(MEASURE)
    if row is None or not row[0]:
        return InboxSize(0, 0)
    return InboxSize(int(row[0]), max(0, tx.now - int(row[1])))


# tidy: scope-first - as above
async def release_claims(tx: Transaction) -> None:
    """End every claim: at the start of the only process that serves this store."""
    await tx.run(RELEASE_CLAIMS, tx.now)


# tidy: scope-first - as above
async def oldest_done_ms(tx: Transaction) -> int | None:
    """Return when the oldest of the messages that are done was processed."""
    row = await tx.one(OLDEST_DONE)
    return int(row[0]) if row else None


# tidy: scope-first - as above
async def delete_done(tx: Transaction, before_ms: int) -> None:
    """Delete a batch of messages that were processed before a date."""
    await tx.run(EXPIRE, before_ms, limits.INBOX_EXPIRED_PER_STEP_MAX)
