"""Replays of inbound messages that the server could not process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from parlour.resources.inbound import store as inbound_store
from parlour.resources.inbox import given_up_store as inbox_given_up_store
from parlour.resources.inbox import store as inbox_store
from parlour.resources.inbox.message import decode_message
from parlour.vocabulary import limits
from parlour.vocabulary.dates import updated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parlour.resources.inbox.store import InboxEntry
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope


class InboundReplay(msgspec.Struct, frozen=True):
    """The result of one step: the number of messages to replay, and how many of them now wait.

    ``last_sequence`` is the position of the last one, None after the last step. ``until_sequence``
    is the end of the range.
    """

    found: int
    replayed: int
    last_sequence: int | None
    until_sequence: int


async def replay_range(
    tx: Transaction, scope: Scope, after_sequence: int, until_sequence: int | None
) -> InboundReplay:
    """Replay the next messages of a range, oldest first; without an end: those given up by now.

    A message that is given up again gets a later sequence, so no run replays it twice.
    """
    end = tx.next_sequence() if until_sequence is None else until_sequence
    found = await inbox_given_up_store.lock_given_up(tx, scope, after_sequence, end)
    is_last = len(found) < limits.INBOX_REPLAYED_PER_STEP_MAX
    replayed = await _replay(tx, scope, found)
    return InboundReplay(len(found), replayed, None if is_last else found[-1].sequence, end)


async def replay_sid(tx: Transaction, scope: Scope, sid: str) -> InboundReplay:
    """Replay the message with a channel message SID."""
    found = await inbox_given_up_store.lock_given_up_by_sid(tx, scope, sid)
    return InboundReplay(len(found), await _replay(tx, scope, found), None, tx.next_sequence())


# tidy: event-for-change - the processing emits the events of the message
async def _replay(tx: Transaction, scope: Scope, entries: Sequence[InboxEntry]) -> int:
    """Make messages pending again, as far as the inbox of the account has room; return how many.

    They are processed as if they were accepted now: the last in their lane, and due at once.
    """
    most = limits.INBOX_REPLAY_BACKLOG_MAX
    room = most - await inbox_store.count_backlog(tx, scope, most)
    for each in entries[:room]:
        after = updated(
            each,
            tx.now,
            sequence=tx.next_sequence(),
            state=inbox_store.PENDING,
            due_ms=tx.now,
            attempts=0,
            is_copy=0,
            outcome=None,
            reason=None,
            conversation_sid=None,
            message_sid=None,
            participant_sid=None,
            date_replayed=tx.now,
        )
        await inbox_store.update_entry(tx, scope, each, after)
        for media_sid in _media_sids(each):
            until_ms = tx.now + limits.MEDIA_UNATTACHED_MS
            await inbound_store.postpone_expiry(tx, scope, media_sid, until_ms)
    return len(entries[:room])


def _media_sids(entry: InboxEntry) -> list[str]:
    """Return the media of a message; none if its content cannot be read."""
    try:
        return decode_message(entry.content or "").media_sids
    except (ValueError, RecursionError):
        return []
