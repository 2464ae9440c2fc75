"""Counts of an account's rows for operators, each of bounded work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.vocabulary.bounded_count import BoundedCount, bounded_count

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class MediaSum(msgspec.Struct, frozen=True):
    """A number of media and their bytes; ``at_least``: the count stopped there."""

    count: int
    bytes: int
    at_least: bool


# Each is ordered as an index, so that no engine reads rows of other accounts instead.
COUNT_CONVERSATIONS = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM conversation WHERE account_sid = $1 ORDER BY sid LIMIT $2) AS found
"""
COUNT_WAITING = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM webhook_delivery WHERE account_sid = $1 AND state = 'pending'
     ORDER BY event_sequence LIMIT $2) AS found
"""
SUM_MEDIA = """
SELECT COUNT(*), COALESCE(SUM(size), 0) FROM (
    SELECT size FROM media WHERE account_sid = $1 ORDER BY sid LIMIT $2) AS found
"""


async def count_conversations_up_to(tx: Transaction, scope: Scope, most: int) -> BoundedCount:
    """Return the number of the account's conversations."""
    row = await tx.one(COUNT_CONVERSATIONS, scope.account_sid, most + 1)
    assert row is not None
    return bounded_count(row[0], most)


async def count_waiting_up_to(tx: Transaction, scope: Scope, most: int) -> BoundedCount:
    """Return the number of the account's webhook deliveries that wait."""
    row = await tx.one(COUNT_WAITING, scope.account_sid, most + 1)
    assert row is not None
    return bounded_count(row[0], most)


async def sum_media_up_to(tx: Transaction, scope: Scope, most: int) -> MediaSum:
    """Return the number and the bytes of the account's media, removed ones with a file included."""
    row = await tx.one(SUM_MEDIA, scope.account_sid, most)
    assert row is not None
    return MediaSum(int(row[0]), int(row[1]), int(row[0]) >= most)
