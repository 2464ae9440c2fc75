"""Counts of an account's rows, each of bounded work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.vocabulary import limits
from parlour.vocabulary.bounded_count import BoundedCount, bounded_count

if TYPE_CHECKING:
    from parlour.store.transaction import Row, Transaction
    from parlour.vocabulary.scope import Scope

# Each is ordered as an index, so that no engine reads rows of other accounts instead.
COUNT_CONVERSATIONS = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM conversation WHERE account_sid = $1 ORDER BY sid LIMIT $2) AS found
"""
COUNT_USERS = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM chat_user WHERE account_sid = $1 ORDER BY sid LIMIT $2) AS found
"""
COUNT_CONVERSATIONS_OF_SERVICE = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM conversation WHERE account_sid = $1 AND service_sid = $2
     ORDER BY created_order, sid LIMIT $3) AS found
"""
COUNT_USERS_OF_SERVICE = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM chat_user WHERE account_sid = $1 AND service_sid = $2
     ORDER BY sequence, sid LIMIT $3) AS found
"""
# No index has the dates of messages: the newest messages of each active conversation are read.
# The activity of a conversation is in microseconds.
COUNT_RECENT_MESSAGES = """
SELECT COUNT(message.message_index) FROM (
    SELECT sid, next_message_index FROM conversation
     WHERE account_sid = $1 AND service_sid = $2 AND last_activity >= CAST($3 AS BIGINT) * 1000
     ORDER BY last_activity DESC LIMIT $4) AS active
  LEFT JOIN message ON message.account_sid = $1 AND message.conversation_sid = active.sid
   AND message.message_index >= active.next_message_index - $5 AND message.date_created >= $3
 GROUP BY active.sid
"""


def _bounded(row: Row | None) -> BoundedCount:
    assert row is not None
    return bounded_count(row[0], limits.ROWS_COUNTED_MAX)


async def count_conversations(tx: Transaction, scope: Scope) -> BoundedCount:
    """Return the number of the account's conversations."""
    row = await tx.one(COUNT_CONVERSATIONS, scope.account_sid, limits.ROWS_COUNTED_MAX + 1)
    return _bounded(row)


async def count_users(tx: Transaction, scope: Scope) -> BoundedCount:
    """Return the number of the account's users."""
    row = await tx.one(COUNT_USERS, scope.account_sid, limits.ROWS_COUNTED_MAX + 1)
    return _bounded(row)


async def count_conversations_of_service(tx: Transaction, scope: Scope) -> BoundedCount:
    """Return the number of conversations of a service."""
    row = await tx.one(
        COUNT_CONVERSATIONS_OF_SERVICE,
        scope.account_sid,
        scope.service_sid,
        limits.ROWS_COUNTED_MAX + 1,
    )
    return _bounded(row)


async def count_users_of_service(tx: Transaction, scope: Scope) -> BoundedCount:
    """Return the number of users of a service."""
    row = await tx.one(
        COUNT_USERS_OF_SERVICE, scope.account_sid, scope.service_sid, limits.ROWS_COUNTED_MAX + 1
    )
    return _bounded(row)


async def count_recent_messages(
    tx: Transaction, scope: Scope, since_ms: int, conversations_max: int
) -> tuple[BoundedCount, int]:
    """Return the number of messages of a service since a time, and of conversations read."""
    most = limits.RECENT_MESSAGES_COUNTED_MAX
    rows = await tx.all(
        COUNT_RECENT_MESSAGES,
        scope.account_sid,
        scope.service_sid,
        since_ms,
        conversations_max,
        most,
    )
    counts = [row[0] for row in rows]
    at_least = len(counts) >= conversations_max or any(each >= most for each in counts)
    return BoundedCount(sum(counts), at_least), len(counts)
